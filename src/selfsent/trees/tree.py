"""One binary tree as flat arrays, without torch.

How its nodes are numbered is in `selfsent.trees.arrays`, which puts the trees of a batch side by side.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Tree:
    """One binary tree: ``left[i]`` and ``right[i]`` are the local ids of the children of node ``num_tokens + i``."""

    num_tokens: int
    left: IntArray
    right: IntArray

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """The half-open token span of every internal node, in merge order (iterative, any depth)."""
        start = list(range(self.num_tokens))
        end = list(range(1, self.num_tokens + 1))
        for left, right in zip(self.left.tolist(), self.right.tolist(), strict=True):
            start.append(start[left])
            end.append(end[right])
        return list(zip(start[self.num_tokens :], end[self.num_tokens :], strict=True))

    @cached_property
    def depth(self) -> int:
        """Edges from the root to the deepest leaf; 0 for a single token."""
        heights = [0] * self.num_tokens
        for left, right in zip(self.left.tolist(), self.right.tolist(), strict=True):
            heights.append(1 + max(heights[left], heights[right]))
        return heights[-1] if heights else 0


def node_offsets(num_tokens: IntArray) -> IntArray:
    """First global node id of each sentence and, last, the number of nodes."""
    return np.concatenate([[0], np.cumsum(np.maximum(2 * num_tokens - 1, 0))]).astype(np.int64)
