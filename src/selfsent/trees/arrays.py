"""Trees as flat arrays: every tree of a batch in one index space.

A sentence of ``n`` tokens has ``2n - 1`` nodes. Its own ("local") ids are 0..n-1 for the leaves, left to right, and
``n + i`` for the node made by merge ``i``; the last merge makes the root. A batch concatenates its sentences, each
shifted by the nodes before it ("global" ids). Upward and downward values are rows of ``(N, D)`` matrices in that order.
Source: papers describe the traversal only (StrAE, Section 3); the layout is ours.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from selfsent.trees.heights import order_by_height
from selfsent.trees.tree import IntArray, Tree, node_offsets


@dataclass(frozen=True)
class Level:
    """The internal nodes of one height over the whole batch, with their children: global ids, ``(P,)`` each."""

    parents: Tensor
    left: Tensor
    right: Tensor


@dataclass(frozen=True)
class TreeBatch:
    """The trees of a batch.

    Args:
        num_tokens: Tokens of each sentence, ``(B,)``; 0 is allowed and has no node.
        left: Global id of each merge's left child, ``(L - B,)``, sentences one after another in merge order.
        right: The same for the right child.
    """

    num_tokens: IntArray
    left: IntArray
    right: IntArray

    @classmethod
    def from_trees(cls, trees: Sequence[Tree]) -> "TreeBatch":
        """Put trees of single sentences side by side."""
        num_tokens = np.array([tree.num_tokens for tree in trees], dtype=np.int64)
        offsets = node_offsets(num_tokens)[:-1]
        empty = [np.zeros(0, dtype=np.int64)]
        shifted = zip(trees, offsets, strict=True)
        sides = [(tree.left + offset, tree.right + offset) for tree, offset in shifted]
        left = np.concatenate(empty + [side[0] for side in sides])
        right = np.concatenate(empty + [side[1] for side in sides])
        return cls(num_tokens, left, right)

    @classmethod
    def joined(cls, batches: Sequence["TreeBatch"]) -> "TreeBatch":
        """Put batches side by side: the sentences of the first come first."""
        shifts = np.cumsum([0, *(batch.num_nodes for batch in batches)])[:-1]
        left = [batch.left + shift for batch, shift in zip(batches, shifts, strict=True)]
        right = [batch.right + shift for batch, shift in zip(batches, shifts, strict=True)]
        num_tokens = [batch.num_tokens for batch in batches]
        empty = [np.zeros(0, dtype=np.int64)]
        return cls(*(np.concatenate(empty + parts) for parts in (num_tokens, left, right)))

    def __len__(self) -> int:
        return len(self.num_tokens)

    def __getitem__(self, index: int) -> Tree:
        index = range(len(self))[index]
        first = int(self.merge_offsets[index])
        merges = slice(first, first + self.num_merges(index))
        offset = self.offsets[index]
        return Tree(int(self.num_tokens[index]), self.left[merges] - offset, self.right[merges] - offset)

    def __iter__(self) -> Iterator[Tree]:
        return (self[index] for index in range(len(self)))

    def num_merges(self, index: int) -> int:
        """Merges of one sentence: its tokens less one, and none for an empty sentence."""
        return max(int(self.num_tokens[index]) - 1, 0)

    @property
    def num_nodes(self) -> int:
        """Nodes of the whole batch."""
        return int(self.offsets[-1])

    @cached_property
    def offsets(self) -> IntArray:
        """First global node id of each sentence, and the number of nodes at the end, ``(B + 1,)``."""
        return node_offsets(self.num_tokens)

    @cached_property
    def merge_offsets(self) -> IntArray:
        """First merge of each sentence, and the number of merges at the end, ``(B + 1,)``."""
        return np.concatenate([[0], np.cumsum(np.maximum(self.num_tokens - 1, 0))])

    @cached_property
    def leaf_nodes(self) -> Tensor:
        """Global ids of the leaves, ``(L,)``, in reading order."""
        return torch.from_numpy(_ranges(self.offsets[:-1], self.num_tokens))

    @cached_property
    def merge_nodes(self) -> Tensor:
        """Global ids of the internal nodes, ``(L - B,)``, in merge order."""
        return torch.from_numpy(_ranges(self.offsets[:-1] + self.num_tokens, np.maximum(self.num_tokens - 1, 0)))

    @cached_property
    def roots(self) -> Tensor:
        """Global id of each sentence's root, ``(B,)``; -1 for an empty sentence."""
        return torch.from_numpy(np.where(self.num_tokens > 0, self.offsets[1:] - 1, -1))

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """Internal nodes grouped by height, lowest first: what an upward pass may compute side by side."""
        parents = self.merge_nodes.numpy()
        order, boundaries = order_by_height(parents, self.left, self.right, self.num_nodes)
        arrays = [torch.from_numpy(array[order]) for array in (parents, self.left, self.right)]
        columns = [array.split(np.diff(boundaries).tolist()) for array in arrays]
        return tuple(Level(*level) for level in zip(*columns, strict=True))


def _ranges(starts: IntArray, lengths: IntArray) -> IntArray:
    """Concatenate ``range(start, start + length)`` over all pairs."""
    before = np.concatenate([[0], np.cumsum(lengths)])
    return np.arange(before[-1], dtype=np.int64) + np.repeat(starts - before[:-1], lengths)


def branching_statistics(trees: TreeBatch) -> dict[str, float]:
    """Describe the trees of a batch.

    A merge joins two leaves, a phrase and a leaf (left), a leaf and a phrase (right), or two phrases.

    Returns:
        ``depth`` (edges), ``left_share`` and ``right_share`` (of all merges but those of two leaves),
        ``branching_entropy`` (nats, over those three kinds).
    """
    is_leaf = np.zeros(trees.num_nodes + 1, dtype=bool)
    is_leaf[trees.leaf_nodes.numpy()] = True
    left_leaf, right_leaf = is_leaf[trees.left], is_leaf[trees.right]
    counts = np.array(
        [(~left_leaf & right_leaf).sum(), (left_leaf & ~right_leaf).sum(), (~left_leaf & ~right_leaf).sum()],
        dtype=float,
    )
    shares = counts / max(counts.sum(), 1.0)
    seen = shares[shares > 0]
    depth = float(np.mean([tree.depth for tree in trees])) if len(trees) else 0.0
    return {
        "depth": depth,
        "left_share": float(shares[0]),
        "right_share": float(shares[1]),
        "branching_entropy": float((seen * np.log(1 / seen)).sum()),
    }
