"""A training step of Banyan, by our path and by plain torch as the authors' released code goes about it.

The reference merges one pair a sentence a step, compares each step's distinct pairs with all edges of the graph so far,
sends messages down level by level recorded by autograd, and computes all logits at once.
"""

from dataclasses import dataclass, field

import torch
from benchmarks.tree_workload import TrainingStep, Width, models_of, warmed
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn
from torch.nn import functional

from selfsent.losses import EntangledReconstructionLoss

CHANNEL_SIZE = 2
"""U of the paper; the embedding has 256 values there."""


@dataclass
class Graph:
    """The graph as it grows: values of all nodes, and the children and height of every merged one.

    Args:
        values: Upward embeddings, leaves first.
        pairs: Left and right child of each merged node.
        heights: Heights of all nodes.
    """

    values: Tensor
    pairs: Tensor
    heights: Tensor
    num_leaves: int = field(init=False)

    def __post_init__(self) -> None:
        self.num_leaves = len(self.values)

    def merge(self, left: Tensor, right: Tensor, composition: nn.Module, dropout: float) -> Tensor:
        """Find or make the parents of pairs of nodes; one each, ``(P,)``."""
        distinct, which = torch.unique(torch.stack([left, right], dim=1), dim=0, return_inverse=True)
        is_edge = (distinct[:, None, :] == self.pairs[None, :, :]).all(dim=2)
        is_known = is_edge.any(dim=1)
        parents = torch.empty(len(distinct), dtype=torch.int64)
        rows, edges = is_edge.nonzero(as_tuple=True)
        parents[rows] = edges + self.num_leaves
        parents[~is_known] = len(self.values) + torch.arange(int((~is_known).sum()))
        new = distinct[~is_known]
        values = composition(self.values[new[:, 0]], self.values[new[:, 1]])
        self.values = torch.cat([self.values, functional.dropout(values, dropout)])
        self.heights = torch.cat([self.heights, 1 + self.heights[new].amax(dim=1)])
        self.pairs = torch.cat([self.pairs, new])
        return parents[which]


class BanyanStep(TrainingStep):
    """A step of Banyan: one graph a batch, each distinct word recovered once."""

    def make_loss(self, model: SentenceTransformer) -> nn.Module:
        """Recover words from entangled trees."""
        return EntangledReconstructionLoss(model)

    def reference_loss(self, features: dict[str, Tensor]) -> Tensor:
        """Merge, send messages and recover words in plain torch."""
        mask = features["attention_mask"].bool()
        tokens, leaf_of = features["input_ids"][mask].unique(return_inverse=True)
        encoder, is_training = self.encoder, self.encoder.training
        leaves = functional.dropout(encoder.embedding(tokens), encoder.options.leaf_dropout, is_training)
        frontier = torch.full(mask.shape, -1).masked_scatter(mask, leaf_of)
        dropout = encoder.options.composition_dropout if is_training else 0.0
        graph = entangled_by_reference(leaves, frontier, mask.sum(dim=1), encoder.composition, dropout)
        down = self._downward(graph, self.loss.options.decomposition_dropout if is_training else 0.0)
        output = self.loss.index.output
        return functional.cross_entropy(output(down[: len(tokens)]), tokens)

    def _downward(self, graph: Graph, dropout: float) -> Tensor:
        """Send messages level by level, highest first; a node is the mean of those of all its parents."""
        num_parents = torch.bincount(graph.pairs.flatten(), minlength=len(graph.values))[:, None]
        down = graph.values * (num_parents == 0)
        heights = graph.heights[graph.num_leaves :]
        for height in range(int(heights.max()) if len(heights) else 0, 0, -1):
            merges = (heights == height).nonzero().squeeze(1)
            messages = self.loss.decomposition(down[merges + graph.num_leaves])
            for side, message in enumerate(messages):
                child = graph.pairs[merges, side]
                down = down.index_add(0, child, functional.dropout(message, dropout) / num_parents[child])
        return down


def entangled_by_reference(
    leaves: Tensor, frontier: Tensor, lengths: Tensor, composition: nn.Module, dropout: float
) -> Graph:
    """Merge the most similar pair of every sentence, step by step; pairs merged before are found among all edges."""
    graph = Graph(leaves, torch.empty(0, 2, dtype=torch.int64), torch.zeros(len(leaves), dtype=torch.int64))
    position = torch.arange(frontier.shape[1])
    for step in range(int(lengths.max()) - 1):
        active = (lengths - 1 > step).nonzero().squeeze(1)
        nodes = frontier[active]
        values = graph.values.detach()[nodes]
        similarity = functional.cosine_similarity(values[:, :-1], values[:, 1:], dim=-1)
        best = similarity.masked_fill(nodes[:, 1:] < 0, -torch.inf).argmax(dim=1)
        rows = torch.arange(len(active))
        left, right = nodes[rows, best], nodes[rows, best + 1]
        parents = graph.merge(left, right, composition, dropout)
        keep = position[:-1] + (position[:-1] > best[:, None])
        shrunk = nodes.gather(1, keep).index_put((rows, best), parents)
        frontier = frontier[:, :-1].index_copy(0, active, shrunk)
        position = position[:-1]
    return graph


def banyan_models(sentences: list[str], dimension: int, vocab_size: int) -> Width:
    """Build untrained models with Banyan's cells."""
    return models_of(sentences, dimension=dimension, vocab_size=vocab_size, channel_size=CHANNEL_SIZE, cell="diagonal")


def prepared_banyan_step(sentences: list[str], dimension: int, vocab_size: int) -> BanyanStep:
    """Build a step whose kernels are compiled and whose Adam has its state, ready to be measured."""
    return warmed(BanyanStep(banyan_models(sentences, dimension, vocab_size), sentences))
