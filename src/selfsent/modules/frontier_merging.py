"""Greedy merging for cells that are not affine: the two most similar neighbours are merged until one node is left."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from selfsent.modules.composition import Composition
from selfsent.modules.tree_finder import SearchOptions
from selfsent.trees.arrays import IntArray, TreeBatch
from selfsent.trees.entangled import EntangledTrees

_NEVER = -torch.inf


class GatedComposition(Composition):
    """A composition of states that are not affine in their children; a state's first values are its embedding.

    Args:
        dimension: D, values of an embedding.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.dimension = dimension

    def induce(
        self,
        leaves: Float[Tensor, "L S"],
        num_tokens: IntArray,
        noise: Float[Tensor, "I D"] | None,  # noqa: ARG002 embeddings are compared without it
        search: SearchOptions,  # noqa: ARG002 the most similar neighbours merge
    ) -> tuple[TreeBatch, None]:
        """Merge the most similar neighbours, compared without noise; see `Composition.induce`."""
        return merge_most_similar(leaves, num_tokens, self, dimension=self.dimension), None

    def upward(
        self,
        leaves: Float[Tensor, "L S"],
        trees: TreeBatch,
        noise: Float[Tensor, "I D"] | None = None,
        known: Float[Tensor, "N D"] | None = None,
    ) -> Float[Tensor, "N D"]:
        """Compose every internal node, and return the embeddings alone; see `Composition.upward`."""
        return super().upward(leaves, trees, self._on_states(noise, leaves), known)[:, : self.dimension]

    def upward_entangled(
        self, leaves: Float[Tensor, "L S"], graph: EntangledTrees, noise: Float[Tensor, "I D"] | None = None
    ) -> Float[Tensor, "M D"]:
        """Compose every node once, and return the embeddings alone; see `Composition.upward_entangled`."""
        return super().upward_entangled(leaves, graph, self._on_states(noise, leaves))[:, : self.dimension]

    def _on_states(self, noise: Tensor | None, leaves: Tensor) -> Tensor | None:
        """Widen noise to states: values beside the embedding are not dropped."""
        if noise is None:
            return None
        return torch.cat([noise, noise.new_ones(len(noise), leaves.shape[1] - self.dimension)], dim=1)


@torch.no_grad()
def merge_most_similar(
    states: Float[Tensor, "L S"], num_tokens: IntArray, composition: nn.Module, *, dimension: int
) -> TreeBatch:
    """Find the trees of a batch as Self-StrAE does, with a composition that need not be affine.

    All sentences merge side by side, one pair a step; a merge changes two similarities only. Of equal similarities the
    first counts. `selfsent.kernels.induction.induce` does the same for affine compositions, compiled.

    Source: Opper et al., EMNLP 2023 (Self-StrAE), Section 4.

    Args:
        states: States of the leaves, all sentences one after another.
        num_tokens: Leaves of each sentence, ``(B,)``.
        composition: Turns states of left and right children into states of parents.
        dimension: Values of a state, from its start, that are its embedding, whose cosines are compared.

    Returns:
        The trees.
    """
    frontier = _Frontier(states, torch.from_numpy(num_tokens).to(states.device), dimension)
    num_steps = max(int(num_tokens.max(initial=0)) - 1, 0)
    sides = [np.zeros((len(num_tokens), num_steps), dtype=np.int64) for _ in ("left", "right")]
    for step in range(num_steps):
        rows = np.flatnonzero(num_tokens > step + 1)
        for side, nodes in zip(sides, frontier.merge(torch.from_numpy(rows), step, composition), strict=True):
            side[rows, step] = nodes.cpu().numpy()
    is_merge = np.arange(num_steps) < num_tokens[:, None] - 1
    shifts = TreeBatch(num_tokens, *sides).offsets[:-1, None]
    left, right = ((side + shifts)[is_merge] for side in sides)
    return TreeBatch(num_tokens, left, right)


class _Frontier:
    """The nodes still to merge of each sentence: a chain of places, each with its state and its similarity to the next.

    Place T stands behind the longest sentence; it is never merged.
    """

    def __init__(self, states: Tensor, num_tokens: Tensor, dimension: int) -> None:
        num_places = int(num_tokens.max()) + 1 if len(num_tokens) else 1
        places = torch.arange(num_places, device=states.device)
        self.num_tokens = num_tokens
        self.dimension = dimension
        self.states = states.new_zeros(len(num_tokens), num_places, states.shape[1])
        self.states[places < num_tokens[:, None]] = states.detach()
        self.nodes, self.following, self.preceding = (
            (places + shift).repeat(len(num_tokens), 1) for shift in (0, 1, -1)
        )
        self.alike = states.new_full((len(num_tokens), num_places), _NEVER)
        likeness = self._cosine(self.states[:, :-1], self.states[:, 1:])
        self.alike[:, :-1] = likeness.masked_fill(places[1:] >= num_tokens[:, None], _NEVER)

    def merge(self, rows: Tensor, step: int, composition: nn.Module) -> tuple[Tensor, Tensor]:
        """Merge the most similar pair of these sentences; return the local ids of left and right children."""
        left = self.alike[rows].argmax(dim=1)
        right = self.following[rows, left]
        before, after = self.preceding[rows, left], self.following[rows, right]
        children = self.nodes[rows, left], self.nodes[rows, right]
        parent = composition(self.states[rows, left], self.states[rows, right])
        self.states[rows, left] = parent
        self.nodes[rows, left] = self.num_tokens[rows] + step
        self.following[rows, left] = after
        self.preceding[rows, after] = left
        self.alike[rows, right] = _NEVER
        to_next = self._cosine(parent, self.states[rows, after])
        self.alike[rows, left] = to_next.masked_fill(after >= self.num_tokens[rows], _NEVER)
        from_last = self._cosine(self.states[rows, before], parent)  # place -1 is the last, which is never merged
        self.alike[rows, before] = from_last.masked_fill(before < 0, _NEVER)
        return children

    def _cosine(self, one: Tensor, other: Tensor) -> Tensor:
        return functional.cosine_similarity(one[..., : self.dimension], other[..., : self.dimension], dim=-1)
