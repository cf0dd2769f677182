"""Greedy merging with any cell, against the compiled search for affine cells and against one merge at a time."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from selfsent.kernels.induction import induce
from selfsent.modules import AffineComposition
from selfsent.modules.frontier_merging import merge_most_similar
from selfsent.modules.tree_lstm import TreeLSTMComposition

LENGTHS = [[1], [2], [0, 5, 1, 0, 9, 3], [0], [], [25, 4]]


def one_at_a_time(states: Tensor, composition: nn.Module, dimension: int) -> tuple[list[int], list[int]]:
    """Merge one sentence's most similar neighbours until one is left."""
    frontier = list(enumerate(states))
    left: list[int] = []
    right: list[int] = []
    while len(frontier) > 1:
        likeness = [
            functional.cosine_similarity(one[:dimension], other[:dimension], dim=0)
            for (_, one), (_, other) in pairwise(frontier)
        ]
        place = int(torch.stack(likeness).argmax())
        (one, one_state), (other, other_state) = frontier[place : place + 2]
        left.append(one)
        right.append(other)
        parent = composition(one_state[None], other_state[None])[0]
        frontier[place : place + 2] = [(len(states) + len(left) - 1, parent)]
    return left, right


@pytest.mark.parametrize("lengths", LENGTHS)
def test_every_sentence_merges_as_if_it_were_alone(lengths: list[int]):
    torch.manual_seed(0)
    composition, num_tokens = TreeLSTMComposition(4), np.array(lengths, dtype=np.int64)
    states = torch.randn(sum(lengths), 8)
    trees = merge_most_similar(states, num_tokens, composition, dimension=4)
    assert trees.num_tokens.tolist() == lengths
    for tree, own in zip(trees, states.split(lengths), strict=True):
        with torch.no_grad():
            assert (tree.left.tolist(), tree.right.tolist()) == one_at_a_time(own, composition, 4)


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
