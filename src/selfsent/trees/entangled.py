"""Entangled trees: all trees of a batch as one graph, in which equal sub-trees are one node.

A node is what it is made of: a leaf is its token, an inner node the ordered pair of its children. So a word that occurs
in many sentences is one leaf, and a phrase that is merged alike in several sentences one inner node. Children stand
before their parents; the leaves come first.

Source: Opper & Siddharth, Banyan (arXiv 2407.17771), entangled trees.
Differs: a pair is looked up in a hash table; the released code compares it with all edges of the graph.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from selfsent.trees.arrays import IntArray, Level, TreeBatch
from selfsent.trees.heights import order_by_height
from selfsent.trees.pair_numbers import number_merges


@dataclass(frozen=True)
class EntangledTrees:
    """The graph of a batch.

    Args:
        token_ids: The distinct tokens, ascending, ``(T,)``; leaf ``i`` is token ``token_ids[i]``.
        left: Left child of each distinct merge, ``(I,)``; merge ``i`` makes node ``T + i``.
        right: The same for the right child.
        node_of: Node of the graph of each node of the trees, ``(N,)``.
    """

    token_ids: IntArray
    left: IntArray
    right: IntArray
    node_of: IntArray

    @property
    def num_nodes(self) -> int:
        """Leaves and inner nodes."""
        return len(self.token_ids) + len(self.left)

    @cached_property
    def leaf_nodes(self) -> Tensor:
        """The leaves, in the order of their tokens."""
        return torch.arange(len(self.token_ids))

    @cached_property
    def merge_nodes(self) -> Tensor:
        """The inner nodes, in merge order."""
        return torch.arange(len(self.token_ids), self.num_nodes)

    @cached_property
    def num_parents(self) -> Tensor:
        """How often each node is a child, ``(M,)``: twice in one parent where both of its children are that node."""
        children = np.concatenate([self.left, self.right])
        return torch.from_numpy(np.bincount(children, minlength=self.num_nodes))

    @cached_property
    def tops(self) -> Tensor:
        """Nodes without a parent: the roots of sentences, except those that are part of another sentence."""
        return (self.num_parents == 0).nonzero().squeeze(1)

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """Inner nodes by height, lowest first; all parents of a node are higher than it."""
        parents = self.merge_nodes.numpy()
        order, boundaries = order_by_height(parents, self.left, self.right, self.num_nodes)
        arrays = [torch.from_numpy(array[order]) for array in (parents, self.left, self.right)]
        columns = [array.split(np.diff(boundaries).tolist()) for array in arrays]
        return tuple(Level(*level) for level in zip(*columns, strict=True))


def entangle(trees: TreeBatch, token_ids: IntArray) -> EntangledTrees:
    """Make one graph of the trees of a batch.

    Args:
        trees: The trees.
        token_ids: Token of each leaf, all sentences one after another, ``(L,)``.
    """
    tokens, leaf_of = np.unique(token_ids, return_inverse=True)
    node_of = np.empty(trees.num_nodes, dtype=np.int64)
    node_of[trees.leaf_nodes.numpy()] = leaf_of
    left, right = number_merges(trees.merge_nodes.numpy(), trees.left, trees.right, node_of, len(tokens))
    return EntangledTrees(tokens.astype(np.int64), left, right, node_of)
