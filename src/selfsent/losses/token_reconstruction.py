"""SARCSE's objective: contrast two views, and rebuild the token states of both from their sentence embeddings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from torch import Tensor, nn

from selfsent.counts.token_frequencies import TokenFrequencies, Weighting, token_weights
from selfsent.errors import UserError
from selfsent.kernels.gathered_rows import fair_share
from selfsent.losses.info_nce import InfoNCELoss, LabelOptions, TemperatureOptions
from selfsent.losses.sentence_pass import embed_columns, repeat_rows
from selfsent.modules.text_cnn import CnnSizes, TextCNN, added_token_ids, text_token_mask
from selfsent.modules.text_cnn_decoder import TextCNNDecoder
from selfsent.modules.tree_encoder import ComposingEncoder
from selfsent.options import Options, option, takes

Reduction = Literal["sum", "mean"]
"""Over the values of a token state: their squared errors' ``sum`` or ``mean``."""

_VIEW = "view_number"
_MOST_TOKENS = 100_000


def token_errors(
    rebuilt: Float[Tensor, "L D"],
    states: Float[Tensor, "L D"],
    weights: Float[Tensor, " L"],
    *,
    reduction: Reduction = "sum",
) -> Float[Tensor, " L"]:
    """Weigh each token's squared error of reconstruction: ``w(t) * || x - x_hat ||^2``.

    Source: SARCSE (Liu et al. 2024), self-adaptive reconstruction.

    Args:
        rebuilt: What the decoder made of the sentence embeddings.
        states: What it should have made.
        weights: One a token, the less the more frequent it is.
        reduction: Over the values of a state.

    Returns:
        One error a token.
    """
    squared = (rebuilt - states).square()
    return weights * (squared.sum(dim=1) if reduction == "sum" else squared.mean(dim=1))


@dataclass(frozen=True, kw_only=True)
class ReconstructionOptions(Options):
    """How token states are rebuilt, and what each token weighs.

    Args:
        weighting: How a token's weight falls with its frequency; ``uniform`` weighs all alike (chosen).
        theta: The least weight of a token (paper: 0.1).
        beta: Coefficient of the first view's reconstruction (paper: 2.5e-4); with ``gamma=0`` as well, none.
        gamma: The same for the second view (paper: 2.5e-4).
        detach_target: Whether the token states are constants where they are the target (chosen: no).
        reduction: Squared errors over the values of a state: ``sum`` or ``mean`` (chosen: a mean would weigh the term
            some hundred times less).
    """

    weighting: Weighting = "linear"
    theta: float = option(0.1, at_least=0, at_most=1)
    beta: float = option(2.5e-4, at_least=0)
    gamma: float = option(2.5e-4, at_least=0)
    detach_target: bool = False
    reduction: Reduction = "sum"


@dataclass(frozen=True, kw_only=True)
class TokenReconstructionOptions(ReconstructionOptions, LabelOptions, TemperatureOptions):
    """Options of `TokenReconstructionLoss`.

    Args:
        components: Whether to return the terms by name or their sum.
    """

    components: bool = True


@dataclass(frozen=True, kw_only=True)
class _Arguments(TokenReconstructionOptions):
    frequencies: TokenFrequencies | None = None
    decoder: TextCNNDecoder | None = None
    max_tokens: int | None = None


class TokenReconstructionLoss(nn.Module):
    """Contrast two views of a sentence, and rebuild every token state of either from its sentence embedding.

    ``L = InfoNCE + beta * L_rec(X) + gamma * L_rec(X+)``, with ``L_rec`` the mean over tokens of ``token_errors``: what
    frequent tokens say may get lost, what rare ones say may not. Tokens that the tokenizer adds take no part.

    Source: SARCSE (Liu et al. 2024, arXiv 2402.15153): TextCNN and mirrored decoder, weights by frequency with the
    floor theta = 0.1, coefficients of 2.5e-4.
    Differs: the paper's formulas for weights and total could not be had, nor whether targets are detached; these are
    the readings of docs/decisions.md, and settings. Equal texts of a batch are no negatives (`InfoNCELoss`).

    Gradients reach encoder and decoder, and the token states from both sides of the error unless ``detach_target``.
    ``forward`` changes only the count of false negatives. Batches of several ranks are one batch.

    Inputs: one column of texts (each embedded twice, only dropout differs), or anchor and positive, and hard negatives;
    negatives are not rebuilt. Labels are not used unless ``documents_as_labels``. The model must give token states of
    the width of its embeddings.

    The checkpoints of sentence-transformers do not hold the decoder: to resume a run, or to train on several devices,
    use `selfsent.training.trainer.ExactTrainer`.

    Args:
        model: A SentenceTransformer; best a transformer and a `selfsent.modules.TextCNN`, or a tree model, whose token
            states are its leaves and whose embedding is its root.
        frequencies: Counts of the model's tokens in the corpus; ``None`` weighs all alike, whatever ``weighting`` says.
        decoder: What rebuilds; ``None`` mirrors the model's TextCNN.
        max_tokens: Tokens of the longest training text, for that mirror; ``None``: the model's ``max_seq_length``.
        options: Options by keyword; see `TokenReconstructionOptions`.

    Raises:
        UserError: A number is out of range, the frequencies are of another tokenizer, or the model does not fit.

    Example:
        ```python
        from datasets import Dataset
        from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
        from sentence_transformers.base.modules import Transformer

        from selfsent.losses import TokenReconstructionLoss
        from selfsent.modules import TextCNN

        transformer = Transformer("bert-base-uncased", max_seq_length=32)
        cnn = TextCNN(embedding_dimension=transformer.get_embedding_dimension())
        model = SentenceTransformer(modules=[transformer, cnn])
        dataset = Dataset.from_dict({"text": ["A cat sleeps on the roof.", "It rained all night."]})
        loss = TokenReconstructionLoss(model)
        trainer = SentenceTransformerTrainer(model=model, train_dataset=dataset, loss=loss)
        trainer.train()
        ```
    """

    token_weights: Tensor

    @takes(_Arguments)
    def __init__(self, model: SentenceTransformer, arguments: _Arguments) -> None:
        super().__init__()
        _states_of(model)
        self.options = arguments.part(TokenReconstructionOptions)
        frequencies = arguments.frequencies
        if frequencies is not None:
            frequencies.check_tokenizer(model.tokenizer)
        counts = np.ones(_num_token_ids(model), dtype=np.int64) if frequencies is None else frequencies.counts
        self.weighting: Weighting = "uniform" if frequencies is None else self.options.weighting
        weights = token_weights(counts, weighting=self.weighting, floor=self.options.theta)
        self.model = model
        self.contrast = InfoNCELoss(
            model, **asdict(self.options.part(TemperatureOptions)), **asdict(self.options.part(LabelOptions))
        )
        self.coefficients = (self.options.beta, self.options.gamma)
        self.special_token_ids = _special_token_ids(model)
        self.register_buffer("token_weights", torch.from_numpy(weights).float().to(model.device))
        self.decoder = None
        if any(self.coefficients):
            self.decoder = (arguments.decoder or mirrored_decoder(model, arguments.max_tokens)).to(model.device)

    def forward(
        self,
        sentence_features: Iterable[Mapping[str, Any]],
        labels: Tensor | None = None,
    ) -> Float[Tensor, ""] | dict[str, Float[Tensor, ""]]:
        """Return ``info_nce`` (nats, mean over anchors) and ``reconstruction`` (weighted already), or their sum."""
        columns = [dict(column) for column in sentence_features]
        views = repeat_rows(columns[0]) if len(columns) == 1 else columns
        states = _KeptStates(self.model)
        embeddings = embed_columns(states, [_numbered(view, number) for number, view in enumerate(views)])
        documents = labels if self.options.documents_as_labels else None
        terms = {"info_nce": self.contrast.contrast(embeddings, views, documents)}
        if self.decoder is not None:
            terms["reconstruction"] = self._reconstruction(self.decoder, states.groups)
        return terms if self.options.components else torch.stack(list(terms.values())).sum()

    def _reconstruction(
        self, decoder: TextCNNDecoder, groups: Sequence[tuple[Int[Tensor, " _"], Mapping[str, Any]]]
    ) -> Float[Tensor, ""]:
        """Add up both views' errors over all groups of rows, each view's divided by its own number of tokens."""
        parts = [self._group_errors(decoder, view, output) for view, output in groups]
        errors, views = (torch.cat(side) for side in zip(*parts, strict=True))
        total = errors.new_zeros(())
        for number, coefficient in enumerate(self.coefficients):
            of_view = errors[views == number]
            total = total + coefficient * of_view.sum() / fair_share(len(of_view), errors)
        return total

    def _group_errors(
        self, decoder: TextCNNDecoder, view: Int[Tensor, " G"], output: Mapping[str, Any]
    ) -> tuple[Float[Tensor, " L"], Int[Tensor, " L"]]:
        """Rebuild one group's tokens; their errors, and the view that each belongs to."""
        rebuilt_views = view.new_tensor([number for number, weight in enumerate(self.coefficients) if weight])
        mask = text_token_mask(output, self.special_token_ids) & torch.isin(view, rebuilt_views)[:, None]
        states = output["token_embeddings"][mask]
        rebuilt = decoder(output["sentence_embedding"], mask)
        weights = self.token_weights[output["input_ids"][mask]]
        target = states.detach() if self.options.detach_target else states
        errors = token_errors(rebuilt, target, weights, reduction=self.options.reduction)
        return errors, view[:, None].expand_as(mask)[mask]

    def counts(self) -> dict[str, int]:
        """What the trainer logs beside the loss: candidates left out so far, on this rank."""
        return self.contrast.counts()

    def get_config_dict(self) -> dict[str, Any]:
        """Name the settings for the model card."""
        shown = self.options.part(ReconstructionOptions)
        return {"temperature": self.options.temperature, **asdict(shown), "weighting": self.weighting}

    @property
    def citation(self) -> str:
        """BibTeX entry of the source, for the model card."""
        return SARCSE_CITATION


class _KeptStates(nn.Module):
    """A model that keeps what it gave for every group of rows, with the number of the view of each row."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.groups: list[tuple[Tensor, Mapping[str, Any]]] = []

    def forward(self, features: dict[str, Any]) -> Mapping[str, Any]:
        view = features.pop(_VIEW)
        output = self.model(features)
        self.groups.append((view, output))
        return output


def mirrored_decoder(model: SentenceTransformer, max_tokens: int | None = None) -> TextCNNDecoder:
    """Make the decoder that mirrors a model's TextCNN; of the usual sizes where it has none.

    Args:
        model: The model.
        max_tokens: Tokens of the longest text; ``None``: as many as the model reads.

    Raises:
        UserError: The model cuts no texts, gives no token states, or its embeddings are of another width.
    """
    limit = model.max_seq_length if max_tokens is None else max_tokens
    if limit is None or not 0 < limit < _MOST_TOKENS:
        raise UserError(
            f"the decoder needs to know the longest text, and the model's max_seq_length is {limit}; set it, such as"
            " model.max_seq_length = 32"
        )
    width, of_states = model.get_embedding_dimension(), _states_of(model).get_embedding_dimension()
    if width is None or width != of_states:
        raise UserError(
            f"token states of width {of_states} cannot be rebuilt from embeddings of width {width}; give the model an"
            " encoder that keeps the width, such as selfsent.modules.TextCNN"
        )
    cnn = _text_cnn_of(model)
    sizes = CnnSizes(embedding_dimension=width)
    if cnn is not None:
        sizes = replace(cnn.options.part(CnnSizes), embedding_dimension=width)
    return TextCNNDecoder(max_tokens=int(limit), **asdict(sizes))


def _states_of(model: SentenceTransformer) -> Transformer | ComposingEncoder:
    """The module that gives token states."""
    first = model[0]
    if not isinstance(first, Transformer | ComposingEncoder):
        raise UserError(
            f"this objective needs a transformer or a tree model, and the first module here is {type(first).__name__};"
            " start from a transformer, such as bert-base-uncased"
        )
    return first


def _text_cnn_of(model: SentenceTransformer) -> TextCNN | None:
    return next((module for module in model if isinstance(module, TextCNN)), None)


def _special_token_ids(model: SentenceTransformer) -> list[int]:
    cnn = _text_cnn_of(model)
    ids = None if cnn is None else cnn.options.special_token_ids
    return list(ids) if ids is not None else added_token_ids(model.tokenizer)


def _num_token_ids(model: SentenceTransformer) -> int:
    vocabulary: dict[str, int] = model.tokenizer.get_vocab()
    return max(vocabulary.values()) + 1


def _numbered(view: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Give every row of a view the view's number, which the pass carries along wherever it takes the row."""
    return {**view, _VIEW: torch.full((len(view["input_ids"]),), number, device=view["input_ids"].device)}


SARCSE_CITATION = """
@misc{liu-etal-2024-sarcse,
    title = "Self-Adaptive Reconstruction with Contrastive Learning for Unsupervised Sentence Embeddings",
    author = "Liu, Junlong and Shang, Xichen and Feng, Huawen and Zheng, Junhao and Ma, Qianli",
    year = "2024",
    eprint = "2402.15153",
    archivePrefix = "arXiv",
    url = "https://arxiv.org/abs/2402.15153",
}
"""
