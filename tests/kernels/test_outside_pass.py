"""The outside pass against plain recursion, one node after the other, recorded by autograd."""

import numpy as np
import torch
from torch import nn

from selfsent.kernels.outside_pass import outside
from selfsent.modules.inside_outside import OutsideCell
from selfsent.trees.arrays import TreeBatch
from selfsent.trees.builders import random_tree

DIMENSION = 5


def drawn_batch(lengths: list[int]) -> TreeBatch:
    generator = np.random.default_rng(0)
    return TreeBatch.from_trees([random_tree(num_tokens, generator) for num_tokens in lengths])


def test_frozen_weights_get_no_gradient_and_the_others_do():
    trees, cell = drawn_batch([4, 3]), OutsideCell(DIMENSION)
    cell.left.requires_grad_(False)
    inside = torch.randn(trees.num_nodes, DIMENSION, requires_grad=True)
    outside(torch.zeros(DIMENSION), inside, trees, cell).sum().backward()
    assert cell.left.weight.grad is None
    assert cell.right.weight.grad is not None
    assert inside.grad is not None


def test_a_leaf_knows_nothing_of_its_own_word_and_something_of_every_other():
    trees: TreeBatch = drawn_batch([6])
    cell: nn.Module = OutsideCell(DIMENSION)
    leaves = torch.randn(6, DIMENSION, requires_grad=True)
    inside = [*leaves]
    for left, right in zip(trees.left.tolist(), trees.right.tolist(), strict=True):
        inside.append(inside[left] + inside[right])
    nodes = outside(torch.zeros(DIMENSION), torch.stack(inside), trees, cell)
    for leaf in range(6):
        (gradient,) = torch.autograd.grad(nodes[leaf].sum(), leaves, retain_graph=True)
        assert (gradient.abs().sum(dim=1) > 0).tolist() == [other != leaf for other in range(6)]
