"""Reconstruction of a text's tokens from its embedding alone, by a recurrent decoder."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from selfsent.errors import UserError
from selfsent.kernels.gathered_rows import mean_of_all_ranks
from selfsent.kernels.token_cross_entropy import token_cross_entropy
from selfsent.losses.node_contrastive import STRAE_CITATION
from selfsent.modules.token_embeddings import TokenEmbeddings
from selfsent.options import Options, takes


@dataclass(frozen=True, kw_only=True)
class SequenceReconstructionOptions(Options):
    """Options of `SequenceReconstructionLoss`.

    Args:
        tied: Whether reconstruction's output weights are the embedding table (StrAE), or a layer of their own.
    """

    tied: bool = True


class SequenceDecoder(nn.Module):
    """A Bi-LSTM that reads nothing but a text's embedding, at each of its places.

    No token is shown to it: what it says at a place it knows from the embedding, which is the bottleneck, and from how
    far the place is from both ends.

    Args:
        dimension: D, values of an embedding; even, for half of them are of each direction.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(dimension, dimension // 2, bidirectional=True, batch_first=True)

    def forward(self, sentences: Float[Tensor, "B D"], num_tokens: Int[Tensor, " B"]) -> Float[Tensor, "L D"]:
        """Return the states at all places of all texts that have a token, one text after another."""
        kept = num_tokens > 0
        sentences, lengths = sentences[kept], num_tokens[kept]
        if not len(lengths):
            return sentences
        places = torch.arange(int(lengths.max()), device=lengths.device)
        repeated = sentences[:, None].expand(-1, len(places), -1)
        packed = pack_padded_sequence(repeated, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return states[places < lengths[:, None]]


class SequenceReconstructionLoss(nn.Module):
    """Recover every token of a text from the text's embedding.

    Source: the cross-entropy objective of StrAE (Opper et al., EMNLP 2023) with a sequence in place of the tree: the
    decoder takes the shape of the encoder, and reads nothing but the embedding.
    Logits are computed for some hundred tokens at a time (`selfsent.kernels.token_cross_entropy`).
    Gradients reach the model, the decoder and the output weights. ``forward`` changes no state.

    Inputs: one column of texts or several; labels are not used.

    The checkpoints of sentence-transformers do not hold the decoder: to resume a run, or to train on several devices,
    use `selfsent.training.trainer.ExactTrainer`.

    Args:
        model: A SentenceTransformer whose first module is a `selfsent.modules.TokenEmbeddings`, of as many values as
            the sentence embedding.
        options: Options by keyword; see `SequenceReconstructionOptions`.

    Raises:
        UserError: The model is another one.

    Example:
        ```python
        from datasets import Dataset
        from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
        from sentence_transformers.sentence_transformer.modules import LSTM, Pooling
        from transformers import AutoTokenizer

        from selfsent.losses import SequenceReconstructionLoss
        from selfsent.modules import TokenEmbeddings

        words = TokenEmbeddings(tokenizer=AutoTokenizer.from_pretrained("bert-base-uncased"), dimension=100)
        model = SentenceTransformer(modules=[words, LSTM(100, 50), Pooling(100)])
        dataset = Dataset.from_dict({"text": ["A cat sleeps on the roof.", "It rained all night."]})
        loss = SequenceReconstructionLoss(model)
        trainer = SentenceTransformerTrainer(model=model, train_dataset=dataset, loss=loss)
        trainer.train()
        ```
    """

    @takes(SequenceReconstructionOptions)
    def __init__(self, model: SentenceTransformer, options: SequenceReconstructionOptions) -> None:
        super().__init__()
        vocabulary, dimension = _table(model).shape
        if model.get_embedding_dimension() != dimension:
            raise UserError(
                f"the sentence embedding has {model.get_embedding_dimension()} values and the table's rows {dimension};"
                " they must be equal for one to recover the other"
            )
        self.model = model
        self.options = options
        self.decoder = SequenceDecoder(dimension)
        self.output = None if options.tied else nn.Linear(dimension, vocabulary)

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: Tensor | None = None) -> Tensor:  # noqa: ARG002 the host passes labels
        """Return the mean cross-entropy over the tokens of all ranks, in nats; 0 where there are none."""
        parts = [self._states(dict(features)) for features in sentence_features]
        states, token_ids = (torch.cat(part) for part in zip(*parts, strict=True))
        weight, bias = (_table(self.model), None) if self.output is None else (self.output.weight, self.output.bias)
        return mean_of_all_ranks(token_cross_entropy(states, token_ids, weight, bias), len(token_ids))

    def _states(self, features: dict[str, Any]) -> tuple[Float[Tensor, "L D"], Int[Tensor, " L"]]:
        """The decoder's states at all places of a column, and the tokens that stand there."""
        mask = features["attention_mask"].bool()
        token_ids = features["input_ids"][mask]
        return self.decoder(self.model(features)["sentence_embedding"], mask.sum(dim=1)), token_ids

    def get_config_dict(self) -> dict[str, Any]:
        """Name the settings for the model card."""
        return asdict(self.options)

    @property
    def citation(self) -> str:
        """BibTeX entry of the source, for the model card."""
        return STRAE_CITATION


def _table(model: Any) -> Tensor:
    """The embedding table of a model, also where the trainer has wrapped it for several devices."""
    first = getattr(model, "module", model)[0]
    if not isinstance(first, TokenEmbeddings):
        raise UserError(
            f"this objective needs token embeddings to recover, and the first module here is {type(first).__name__};"
            " build one with `selfsent train bi-lstm` or put a selfsent.modules.TokenEmbeddings first"
        )
    return first.embedding.weight
