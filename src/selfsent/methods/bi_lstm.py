"""Bi-LSTM: the sequential baseline of StrAE, an autoencoder from scratch on raw text.

Hochreiter & Schmidhuber, "Long Short-Term Memory", Neural Computation 1997; Conneau et al., EMNLP 2017 (arXiv
1705.02364), for pooling its states; as a baseline in Opper et al., EMNLP 2023 (arXiv 2305.05588).

=========================================  ==================================  ========================================
of the papers                              object                              file
=========================================  ==================================  ========================================
embeddings                                 ``TokenEmbeddings``                 ``modules/token_embeddings.py``
Bi-LSTM, pooling                           ``LSTM``, ``Pooling``               of the host
decoder and cross-entropy of the tokens    ``SequenceReconstructionLoss``      ``losses/sequence_reconstruction.py``
=========================================  ==================================  ========================================

Where we differ:

* How StrAE's authors trained their Bi-LSTM is not known to us. Here it is StrAE's frame with a sequence for the tree: a
  second Bi-LSTM recovers the tokens from the sentence's embedding and sees nothing else. It has no nodes to contrast.
* Of StrAE's dropouts there is that of the token embeddings.
"""

from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Literal

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import LSTM, Pooling
from transformers import PreTrainedTokenizerBase

from selfsent.data.arrow_file import materialise
from selfsent.data.tokenizer import open_or_train, vocabulary_report
from selfsent.errors import UserError
from selfsent.losses.sequence_reconstruction import SequenceReconstructionLoss, SequenceReconstructionOptions
from selfsent.methods.method import Method, split_for
from selfsent.methods.tree_model import TextOptions, UsableTexts, released_training
from selfsent.modules.token_embeddings import TableOptions, TokenEmbeddings
from selfsent.options import option
from selfsent.parsing.given_trees import TreeTexts
from selfsent.training.run import Ingredients, Run, RunData

PoolingMode = Literal["mean", "max"]

_TEXTS_IN_VOCABULARY_REPORT = 5000


@dataclass(frozen=True, kw_only=True)
class BiLstmConfig(SequenceReconstructionOptions, TableOptions, TextOptions):
    """Options of ``bi-lstm``; those it shares with ``strae`` have its defaults.

    Args:
        dimension: Values of an embedding, of a token and of a sentence; half of them are of each direction.
        num_layers: Layers of the Bi-LSTM (ours: 1).
        pooling: ``mean`` of the states, or the ``max`` of each value.
        leaf_dropout: Share of values dropped from token embeddings.
    """

    num_layers: int = option(1, at_least=1)
    pooling: PoolingMode = "mean"
    leaf_dropout: float = option(0.2, at_least=0, below=1)

    def problems(self) -> list[str]:
        """Name the options that have a value they may not have."""
        if self.dimension % 2 == 0:
            return super().problems()
        return [*super().problems(), f"dimension={self.dimension} must be even, one half a direction, such as 100"]


def training(config: BiLstmConfig) -> dict[str, Any]:  # noqa: ARG001 every method takes its configuration
    """The training arguments of ``strae`` with cross-entropy."""
    return released_training(is_contrastive=False)


def build(run: Run[BiLstmConfig], data: RunData) -> Ingredients:
    """Train or open the tokenizer, write the usable texts to disk, and put model and loss together.

    Raises:
        UserError: An option is out of range, a base model was named, or no text is of a usable length.
    """
    config = run.config
    if run.base is not None:
        raise UserError(f"a bi-lstm is trained from scratch and takes no --base (received {run.base})")
    texts = TreeTexts(data.source, None, skip_unparsed=False)
    tokenizer = open_or_train(config, texts.plain())
    model = new_model(config, tokenizer, device=run.device)
    usable = UsableTexts(texts, tokenizer, config)
    dataset = materialise(usable, run.corpus_folder / "corpus.arrow", columns=["text"])
    dataset, heldout = split_for(data, dataset)
    report = vocabulary_report(tokenizer, islice(texts.plain(), _TEXTS_IN_VOCABULARY_REPORT))
    notes = [usable.note(), f"vocabulary of {report['vocab_size']:,} pieces", _size(model)]
    loss = SequenceReconstructionLoss(model, **asdict(config.part(SequenceReconstructionOptions)))
    return Ingredients(model=model, loss=loss, dataset=dataset, heldout=heldout, notes=notes)


def new_model(
    config: BiLstmConfig, tokenizer: PreTrainedTokenizerBase, *, device: str | None = None
) -> SentenceTransformer:
    """Make the untrained model of the host's modules."""
    words = TokenEmbeddings(tokenizer=tokenizer, dropout=config.leaf_dropout, **asdict(config.part(TableOptions)))
    lstm = LSTM(config.dimension, config.dimension // 2, num_layers=config.num_layers)
    pooling = Pooling(config.dimension, pooling_mode=config.pooling)
    return SentenceTransformer(modules=[words, lstm, pooling], device=device)


def _size(model: SentenceTransformer) -> str:
    num_in_table = sum(weight.numel() for weight in model[0].parameters())
    num_weights = sum(weight.numel() for weight in model.parameters())
    return f"{num_weights - num_in_table:,} weights beside the embedding table"


BI_LSTM = Method(
    name="bi-lstm",
    summary="baseline of StrAE: a Bi-LSTM autoencoder from scratch on raw text (1997)",
    config=BiLstmConfig,
    build=build,
    training=training,
)
"""The sequential baseline."""
