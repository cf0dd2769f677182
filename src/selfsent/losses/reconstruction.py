"""Reconstruction of the tokens at the leaves, alone and together with the node-contrastive objective."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from jaxtyping import Float, Int
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from selfsent.kernels.token_cross_entropy import token_cross_entropy
from selfsent.losses.node_contrastive import STRAE_CITATION, NodeContrast, NodeContrastOptions
from selfsent.losses.tree_pass import TreePass, composing_encoder_of
from selfsent.modules.tree_options import DecoderOptions
from selfsent.options import takes


class LeafReconstruction(nn.Module):
    """The index function: recover each token from its leaf's downward embedding.

    `functional.leaf_cross_entropy` is the formula; memory does not grow with leaves times vocabulary
    (`selfsent.kernels.token_cross_entropy`).

    Source: Opper et al., EMNLP 2023 (StrAE), index function Lambda and cross-entropy objective.

    Args:
        model: A tree model; its embedding table serves as output weight where ``tied``.
        tied: Whether the table is the output weight, as in the paper; otherwise a linear layer with bias, as in the
            released code.
    """

    def __init__(self, model: SentenceTransformer, *, tied: bool) -> None:
        super().__init__()
        encoder = composing_encoder_of(model)
        self.tied = tied
        vocabulary, dimension = encoder.embedding.weight.shape
        self.output = None if tied else nn.Linear(dimension, vocabulary)

    def forward(
        self, leaves: Float[Tensor, "L D"], token_ids: Int[Tensor, " L"], table: Float[Tensor, "V D"]
    ) -> Float[Tensor, ""]:
        """Return the mean cross-entropy over leaves, in nats; 0 where there are none."""
        weight, bias = (table, None) if self.output is None else (self.output.weight, self.output.bias)
        return token_cross_entropy(leaves, token_ids, weight, bias)


@dataclass(frozen=True, kw_only=True)
class ReconstructionOptions(DecoderOptions):
    """Options of an objective that recovers the tokens at the leaves.

    Args:
        tied: Whether reconstruction's output weights are the embedding table (paper) or a layer of their own (released
            code).
    """

    tied: bool = True


@dataclass(frozen=True, kw_only=True)
class ContrastiveReconstructionOptions(NodeContrastOptions, ReconstructionOptions):
    """Options of `ContrastiveReconstructionLoss`."""


class ReconstructionLoss(nn.Module):
    """Recover every token of a sentence from its leaf's downward embedding.

    Source: Opper et al., EMNLP 2023 (StrAE), cross-entropy objective.
    Gradients reach the encoder, the decoder and the output weights. ``forward`` changes no state.

    Inputs: one column of texts or several; labels are not used.

    Args:
        model: A SentenceTransformer whose first module is a `selfsent.modules.TreeEncoder`.
        options: Options by keyword; see `ReconstructionOptions`.
    """

    @takes(ReconstructionOptions)
    def __init__(self, model: SentenceTransformer, options: ReconstructionOptions) -> None:
        super().__init__()
        self.model = model
        self.tree_pass = TreePass(model, decomposition_dropout=options.decomposition_dropout)
        self.index = LeafReconstruction(model, tied=options.tied)

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: Tensor | None = None) -> Tensor:  # noqa: ARG002 the host passes labels
        """Return the mean cross-entropy over leaf tokens, in nats."""
        nodes = self.tree_pass(self.model, sentence_features)
        return self.index(nodes.down[nodes.is_leaf], nodes.token_ids, embedding_table(self.model))

    def get_config_dict(self) -> dict[str, Any]:
        """Name the settings for the model card."""
        return {"tied": self.index.tied, "decomposition_dropout": self.tree_pass.decoder.dropout}

    @property
    def citation(self) -> str:
        """BibTeX entry of the source, for the model card."""
        return STRAE_CITATION


class ContrastiveReconstructionLoss(nn.Module):
    """Contrast the internal nodes and reconstruct the leaves: half of each ("CECO").

    Source: Opper & Siddharth, SemEval-2024 (arXiv 2404.01860), Section 3.
    Gradients reach the encoder, the decoder and the output weights. ``forward`` changes no state.

    Inputs: one column of texts or several; labels are not used.

    Args:
        model: A SentenceTransformer whose first module is a `selfsent.modules.TreeEncoder`.
        options: Options by keyword; see `selfsent.losses.node_contrastive.NodeContrastOptions` and
            `ReconstructionOptions`.
    """

    @takes(ContrastiveReconstructionOptions)
    def __init__(self, model: SentenceTransformer, options: ContrastiveReconstructionOptions) -> None:
        super().__init__()
        self.contrast = options.part(NodeContrast)
        self.temperature = options.temperature
        self.model = model
        self.tree_pass = TreePass(model, decomposition_dropout=options.decomposition_dropout)
        self.index = LeafReconstruction(model, tied=options.tied)

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
        return {
            **asdict(self.contrast),
            "tied": self.index.tied,
            "decomposition_dropout": self.tree_pass.decoder.dropout,
        }

    @property
    def citation(self) -> str:
        """BibTeX entry of the source, for the model card."""
        return STRAE_CITATION


def embedding_table(model: nn.Module) -> Tensor:
    """The embedding table of a tree model, also where the trainer has wrapped it for several devices."""
    return composing_encoder_of(getattr(model, "module", model)).embedding.weight
