"""Reconstruction of the tokens at the leaves, alone and together with the node-contrastive objective."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from selfsent.counts.token_frequencies import TokenFrequencies, Weighting, token_weights
from selfsent.errors import UserError
from selfsent.kernels.gathered_rows import mean_of_all_ranks
from selfsent.kernels.token_cross_entropy import token_cross_entropy
from selfsent.losses.functional import leaf_cross_entropy
from selfsent.losses.node_contrastive import STRAE_CITATION, NodeContrast, NodeContrastOptions
from selfsent.losses.tree_pass import TreePass, composing_encoder_of
from selfsent.modules.tree_options import DecoderOptions, RootOptions
from selfsent.options import Options, option, takes

_LEAVES_AT_ONCE = 1024
"""Whose logits over the vocabulary are kept at once where leaves are weighted."""


class LeafReconstruction(nn.Module):
    """The index function: recover each token from its leaf's downward embedding.

    `functional.leaf_cross_entropy` is the formula; memory does not grow with leaves times vocabulary
    (`selfsent.kernels.token_cross_entropy`).

    Source: Opper et al., EMNLP 2023 (StrAE), index function Lambda and cross-entropy objective.

    Args:
        model: A tree model; its embedding table serves as output weight where ``tied``.
        tied: Whether the table is the output weight, as in the paper; otherwise a linear layer with bias, as in the
            released code.
        token_weights: Weight of each token id's cross-entropy, ``(V,)``; ``None`` weighs all alike.
    """

    token_weights: Tensor | None

    def __init__(
        self, model: SentenceTransformer, *, tied: bool, token_weights: Float[np.ndarray, " V"] | None = None
    ) -> None:
        super().__init__()
        encoder = composing_encoder_of(model)
        self.tied = tied
        weights = None if token_weights is None else torch.from_numpy(token_weights).float().to(model.device)
        self.register_buffer("token_weights", weights)
        vocabulary, dimension = encoder.embedding.weight.shape
        self.output = None if tied else nn.Linear(dimension, vocabulary)

    def forward(
        self, leaves: Float[Tensor, "L D"], token_ids: Int[Tensor, " L"], table: Float[Tensor, "V D"]
    ) -> Float[Tensor, ""]:
        """Return the mean (weighted) cross-entropy over the leaves of all ranks, in nats; 0 without leaves."""
        weight, bias = (table, None) if self.output is None else (self.output.weight, self.output.bias)
        if self.token_weights is None or not len(leaves):
            mean = token_cross_entropy(leaves, token_ids, weight, bias)
        else:
            mean = _weighted_cross_entropy(leaves, token_ids, weight, bias, self.token_weights[token_ids])
        return mean_of_all_ranks(mean, len(leaves))


def _weighted_cross_entropy(
    leaves: Float[Tensor, "L D"],
    token_ids: Int[Tensor, " L"],
    table: Float[Tensor, "V D"],
    bias: Float[Tensor, " V"] | None,
    weights: Float[Tensor, " L"],
) -> Float[Tensor, ""]:
    """`functional.leaf_cross_entropy` with weights, some leaves at a time; their logits are computed twice."""
    with torch.autocast(leaves.device.type, enabled=False):
        exact, output = leaves.to(weights.dtype), table.to(weights.dtype)
        offset = None if bias is None else bias.to(weights.dtype)
        parts = zip(*(side.split(_LEAVES_AT_ONCE) for side in (exact, token_ids, weights)), strict=True)
        sums = [
            len(part[0]) * checkpoint(leaf_cross_entropy, *part[:2], output, offset, part[2], use_reentrant=False)
            for part in parts
        ]
        return (torch.stack(sums).sum() / len(leaves)).to(leaves.dtype)


@dataclass(frozen=True, kw_only=True)
class ReconstructionOptions(DecoderOptions):
    """Options of an objective that recovers the tokens at the leaves.

    Args:
        tied: Whether reconstruction's output weights are the embedding table (paper) or a layer of their own (released
            code).
    """

    tied: bool = True


@dataclass(frozen=True, kw_only=True)
class LeafWeightOptions(Options):
    """What recovering a token at a leaf counts, by how frequent the token is.

    Args:
        weighting: How the weight of a token's cross-entropy falls with its frequency in the corpus; ``uniform`` (paper)
            weighs all alike. Not in the paper; SARCSE's weights.
        theta: The least weight of a token (SARCSE: 0.1).
    """

    weighting: Weighting = "uniform"
    theta: float = option(0.1, at_least=0, at_most=1)

    def weights_of(self, frequencies: TokenFrequencies | None) -> NDArray[np.float64] | None:
        """The weight of each token id; ``None`` where all weigh alike.

        Args:
            frequencies: Counts of the tokens in the corpus.

        Raises:
            UserError: Weights are wanted, and nothing was counted.
        """
        if self.weighting == "uniform":
            return None
        if frequencies is None:
            raise UserError(f"weighting={self.weighting} needs the frequencies of the tokens in the corpus, got none")
        return token_weights(frequencies.counts, weighting=self.weighting, floor=self.theta)


@dataclass(frozen=True, kw_only=True)
class LeafReconstructionOptions(LeafWeightOptions, RootOptions, ReconstructionOptions):
    """Options of `ReconstructionLoss`."""


@dataclass(frozen=True, kw_only=True)
class _ReconstructionArguments(LeafReconstructionOptions):
    frequencies: TokenFrequencies | None = None


@dataclass(frozen=True, kw_only=True)
class ContrastiveReconstructionOptions(NodeContrastOptions, LeafReconstructionOptions):
    """Options of `ContrastiveReconstructionLoss`."""


@dataclass(frozen=True, kw_only=True)
class _ContrastiveReconstructionArguments(ContrastiveReconstructionOptions):
    frequencies: TokenFrequencies | None = None


class ReconstructionLoss(nn.Module):
    """Recover every token of a sentence from its leaf's downward embedding.

    Source: Opper et al., EMNLP 2023 (StrAE), cross-entropy objective.
    Gradients reach the encoder, the decoder and the output weights. ``forward`` changes no state.

    Inputs: one column of texts or several; labels are not used.

    The checkpoints of sentence-transformers do not hold the decoder: to resume a run, or to train on several devices,
    use `selfsent.training.trainer.ExactTrainer`.

    Args:
        model: A SentenceTransformer whose first module is a `selfsent.modules.TreeEncoder`.
        frequencies: Counts of the model's tokens in the corpus, for ``weighting``.
        options: Options by keyword; see `LeafReconstructionOptions`.

    Raises:
        UserError: An option is out of range, or ``weighting`` lacks the frequencies.

    Example:
        ```python
        from datasets import Dataset
        from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
        from transformers import AutoTokenizer

        from selfsent.losses import ReconstructionLoss
        from selfsent.modules import TreeEncoder

        encoder = TreeEncoder(tokenizer=AutoTokenizer.from_pretrained("bert-base-uncased"))
        model = SentenceTransformer(modules=[encoder])
        dataset = Dataset.from_dict({"text": ["A cat sleeps on the roof.", "It rained all night."]})
        loss = ReconstructionLoss(model)
        trainer = SentenceTransformerTrainer(model=model, train_dataset=dataset, loss=loss)
        trainer.train()
        ```
    """

    @takes(_ReconstructionArguments)
    def __init__(self, model: SentenceTransformer, arguments: _ReconstructionArguments) -> None:
        super().__init__()
        self.options = options = arguments.part(LeafReconstructionOptions)
        self.model = model
        self.tree_pass = TreePass(model, decomposition_dropout=options.decomposition_dropout, roots=options.roots)
        weights = options.weights_of(arguments.frequencies)
        self.index = LeafReconstruction(model, tied=options.tied, token_weights=weights)

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: Tensor | None = None) -> Tensor:  # noqa: ARG002 the host passes labels
        """Return the mean cross-entropy over leaf tokens, in nats."""
        nodes = self.tree_pass(self.model, sentence_features)
        return self.index(nodes.down[nodes.is_leaf], nodes.token_ids, embedding_table(self.model))

    def get_config_dict(self) -> dict[str, Any]:
        """Name the settings for the model card."""
        return asdict(self.options)

    @property
    def citation(self) -> str:
        """BibTeX entry of the source, for the model card."""
        return STRAE_CITATION


class ContrastiveReconstructionLoss(nn.Module):
    """Contrast the internal nodes and reconstruct the leaves: half of each ("CECO").

    Source: Opper & Siddharth, SemEval-2024 (arXiv 2404.01860), Section 3.
    Gradients reach the encoder, the decoder and the output weights. ``forward`` changes no state.

    Inputs: one column of texts or several; labels are not used.

    The checkpoints of sentence-transformers do not hold the decoder: to resume a run, or to train on several devices,
    use `selfsent.training.trainer.ExactTrainer`.

    Args:
        model: A SentenceTransformer whose first module is a `selfsent.modules.TreeEncoder`.
        frequencies: Counts of the model's tokens in the corpus, for ``weighting``.
        options: Options by keyword; see `selfsent.losses.node_contrastive.NodeContrastOptions` and
            `LeafReconstructionOptions`.

    Example:
        ```python
        from datasets import Dataset
        from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
        from transformers import AutoTokenizer

        from selfsent.losses import ContrastiveReconstructionLoss
        from selfsent.modules import TreeEncoder

        encoder = TreeEncoder(tokenizer=AutoTokenizer.from_pretrained("bert-base-uncased"))
        model = SentenceTransformer(modules=[encoder])
        dataset = Dataset.from_dict({"text": ["A cat sleeps on the roof.", "It rained all night."]})
        loss = ContrastiveReconstructionLoss(model)
        trainer = SentenceTransformerTrainer(model=model, train_dataset=dataset, loss=loss)
        trainer.train()
        ```
    """

    @takes(_ContrastiveReconstructionArguments)
    def __init__(self, model: SentenceTransformer, arguments: _ContrastiveReconstructionArguments) -> None:
        super().__init__()
        self.options = options = arguments.part(ContrastiveReconstructionOptions)
        self.contrast = options.part(NodeContrast)
        self.temperature = options.temperature
        self.model = model
        self.tree_pass = TreePass(model, decomposition_dropout=options.decomposition_dropout, roots=options.roots)
        weights = options.weights_of(arguments.frequencies)
        self.index = LeafReconstruction(model, tied=options.tied, token_weights=weights)

    def forward(
        self,
        sentence_features: Iterable[dict[str, Any]],
        labels: Tensor | None = None,  # noqa: ARG002 the host passes labels
    ) -> dict[str, Tensor]:
        """Return two halved terms, in nats: ``contrastive`` over internal nodes, ``reconstruction`` over leaves."""
        nodes = self.tree_pass(self.model, sentence_features)
        contrastive = self.contrast(nodes, ~nodes.is_leaf)
        reconstruction = self.index(nodes.down[nodes.is_leaf], nodes.token_ids, embedding_table(self.model))
        return {"contrastive": contrastive / 2, "reconstruction": reconstruction / 2}

    def get_config_dict(self) -> dict[str, Any]:
        """Name the settings for the model card."""
        return asdict(self.options)

    @property
    def citation(self) -> str:
        """BibTeX entry of the source, for the model card."""
        return STRAE_CITATION


def embedding_table(model: nn.Module) -> Tensor:
    """The embedding table of a tree model, also where the trainer has wrapped it for several devices."""
    return composing_encoder_of(getattr(model, "module", model)).embedding.weight
