"""Greedy merging for any cell: the two neighbours that are most alike become one, until one is left."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from selfsent.trees.arrays import IntArray, TreeBatch

_NEVER = -torch.inf


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
    """What is left to merge of each sentence: a chain of places, each with its state and its likeness to the next.

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
