"""Greedy merging with any cell, against the compiled search for affine cells and against one merge at a time."""

import numpy as np
import torch

from selfsent.kernels.induction import induce
from selfsent.modules import AffineComposition
from selfsent.modules.frontier_merging import merge_most_similar
from selfsent.modules.tree_lstm import TreeLSTMComposition


def test_affine_cells_give_the_trees_of_the_compiled_search():
    torch.manual_seed(1)
    composition, num_tokens = AffineComposition(3), np.array([7, 1, 12, 30], dtype=np.int64)
    leaves = torch.randn(50, 12)
    compiled, _ = induce(leaves, num_tokens, composition.linear.weight, composition.linear.bias, None)
    found = merge_most_similar(leaves, num_tokens, composition, dimension=12)
    assert (found.left.tolist(), found.right.tolist()) == (compiled.left.tolist(), compiled.right.tolist())


def test_what_stands_behind_the_embedding_is_not_compared():
    states = torch.tensor([[1.0, 0, 5, 5], [0, 1.0, 5, 5], [0.1, 1.0, -5, -5]])
    trees = merge_most_similar(states, np.array([3]), TreeLSTMComposition(2), dimension=2)
    assert (trees.left[0], trees.right[0]) == (1, 2)
