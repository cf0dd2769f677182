"""The node-contrastive objective of StrAE."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn
from torch.nn import functional

from selfsent.kernels.contrastive import tiled_symmetric_info_nce
from selfsent.kernels.gathered_rows import trains_across_ranks
from selfsent.losses.node_relations import Repeats, related_contrastive, span_groups, weighted_by_distance
from selfsent.losses.tree_pass import NodeStates, TreePass
from selfsent.modules.tree_options import DecoderOptions, RootOptions, Roots
from selfsent.options import Options, option, takes

# The released code multiplies cosines by exp(0.2).
RELEASED_TEMPERATURE = math.exp(-0.2)


@dataclass(frozen=True, kw_only=True)
class NodeContrastOptions(Options):
    """How nodes are contrasted.

    Args:
        temperature: Divides cosines in the contrastive objective (released code: e^-0.2 = 0.8187).
        repeats: Nodes over the same tokens as another: ``negative`` (paper), ``masked`` from the negatives, or
            ``positive``.
        distance_decay: A negative ``d`` edges away in the same tree weighs ``1 - distance_decay ** d``; 0 (paper)
            weighs all alike.
    """

    temperature: float = option(RELEASED_TEMPERATURE, above=0)
    repeats: Repeats = "negative"
    distance_decay: float = option(0.0, at_least=0, below=1)


@dataclass(frozen=True, kw_only=True)
class NodeContrast(NodeContrastOptions):
    """Contrasts nodes as its options say."""

    def __call__(self, nodes: NodeStates, node_mask: Tensor | None = None) -> Float[Tensor, ""]:
        """Contrast upward with downward embeddings; in training, those of all ranks with each other.

        Args:
            nodes: All nodes of a batch.
            node_mask: True for each node to contrast; default all.

        Returns:
            Mean over nodes of both directions' cross-entropy, in nats.
        """
        up, down = (
            functional.normalize(side if node_mask is None else side[node_mask], dim=1)
            for side in (nodes.up, nodes.down)
        )
        if self.repeats == "negative" and not self.distance_decay:
            return tiled_symmetric_info_nce(up, down, temperature=self.temperature, across_ranks=trains_across_ranks())
        groups = None if self.repeats == "negative" else span_groups(nodes.trees, nodes.token_ids)
        pairs = weighted_by_distance(nodes.trees, self.distance_decay) if self.distance_decay else None
        if node_mask is not None:
            groups = None if groups is None else groups[node_mask]
            pairs = None if pairs is None else pairs.kept(node_mask)
        return related_contrastive(
            up, down, temperature=self.temperature, groups=groups, repeats=self.repeats, pairs=pairs
        )


@dataclass(frozen=True, kw_only=True)
class NodeContrastiveOptions(NodeContrastOptions, RootOptions, DecoderOptions):
    """Options of `NodeContrastiveLoss`."""


class NodeContrastiveLoss(nn.Module):
    """Pull each node's upward and downward embeddings together, against all other nodes of the batch.

    Source: Opper et al., EMNLP 2023 (StrAE and Self-StrAE), contrastive objective; `functional.node_contrastive` is the
    formula. Computed in tiles, so that memory grows with the nodes and not with their square.
    With ``repeats`` or ``distance_decay`` it is computed in plain torch instead, still in tiles
    (`selfsent.losses.node_relations` says what that costs), each rank's nodes among themselves.
    Otherwise the batches of several ranks are one batch: every rank compares its nodes with those of all.
    Gradients reach the encoder and the decoder, through both sides of every pair. ``forward`` changes no state.

    Inputs: one column of texts or several (all nodes of all columns are contrasted together); labels are not used.

    The checkpoints of sentence-transformers do not hold the decoder: to resume a run, or to train on several devices,
    use `selfsent.training.trainer.ExactTrainer`.

    Args:
        model: A SentenceTransformer whose first module is a `selfsent.modules.TreeEncoder`.
        options: Options by keyword; see `NodeContrastOptions` and `selfsent.modules.tree_options.DecoderOptions`.

    Raises:
        UserError: The model is not a tree model, the temperature is not positive, or the decay is out of range.

    Example:
        ```python
        from datasets import Dataset
        from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
        from transformers import AutoTokenizer

        from selfsent.losses import NodeContrastiveLoss
        from selfsent.modules import TreeEncoder

        encoder = TreeEncoder(tokenizer=AutoTokenizer.from_pretrained("bert-base-uncased"))
        model = SentenceTransformer(modules=[encoder])
        dataset = Dataset.from_dict({"text": ["A cat sleeps on the roof.", "It rained all night."]})
        loss = NodeContrastiveLoss(model)
        trainer = SentenceTransformerTrainer(model=model, train_dataset=dataset, loss=loss)
        trainer.train()
        ```
    """

    @takes(NodeContrastiveOptions)
    def __init__(self, model: SentenceTransformer, options: NodeContrastiveOptions) -> None:
        super().__init__()
        self.contrast = options.part(NodeContrast)
        self.temperature = options.temperature
        self.model = model
        self.roots: Roots = options.roots
        self.tree_pass = TreePass(model, decomposition_dropout=options.decomposition_dropout, roots=options.roots)

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: Tensor | None = None) -> Tensor:  # noqa: ARG002 the host passes labels
        """Return the mean over nodes of both directions' cross-entropy, in nats."""
        return self.contrast(self.tree_pass(self.model, sentence_features))

    def get_config_dict(self) -> dict[str, Any]:
        """Name the settings for the model card."""
        dropout = self.tree_pass.decoder.dropout
        return {**asdict(self.contrast), "decomposition_dropout": dropout, "roots": self.roots}

    @property
    def citation(self) -> str:
        """BibTeX entry of the source, for the model card."""
        return STRAE_CITATION


STRAE_CITATION = """
@inproceedings{opper-etal-2023-strae,
    title = "{S}tr{AE}: Autoencoding for Pre-Trained Embeddings using Explicit Structure",
    author = "Opper, Mattia and Prokhorov, Victor and N, Siddharth",
    booktitle = "Proceedings of the 2023 Conference on Empirical Methods in Natural Language Processing",
    year = "2023",
    url = "https://arxiv.org/abs/2305.05588",
}
"""
