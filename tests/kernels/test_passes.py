from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from selfsent.kernels.affine_passes import affine_downward, affine_upward
from selfsent.kernels.passes import downward, upward
from selfsent.modules import AffineComposition, AffineDecomposition
from selfsent.trees.arrays import TreeBatch
from selfsent.trees.builders import left_branching, random_tree, right_branching

Pass = Callable[..., Tensor]


def compiled_upward(leaves: Tensor, trees: TreeBatch, composition: Any, noise: Tensor | None = None) -> Tensor:
    return affine_upward(leaves, trees, composition.linear, noise)


def compiled_downward(roots: Tensor, trees: TreeBatch, decomposition: Any, noise: Tensor | None = None) -> Tensor:
    return affine_downward(roots, trees, decomposition.linear, noise)


def drawn_batch(lengths: list[int]) -> TreeBatch:
    generator = np.random.default_rng(0)
    return TreeBatch.from_trees([random_tree(num_tokens, generator) for num_tokens in lengths])


@pytest.mark.parametrize("descend", [downward, compiled_downward], ids=["levels", "compiled"])
def test_decomposition_gives_its_first_half_to_the_left_child_whatever_the_node_numbers(descend: Pass):
    # ((w1 w2) w3): the left child of the root is node 3, its right child node 2.
    trees = TreeBatch.from_trees([left_branching(3)])
    cell = AffineDecomposition(1)
    with torch.no_grad():
        cell.linear.weight.copy_(torch.tensor([[2.0], [3.0]]))
        cell.linear.bias.zero_()
    down = descend(torch.ones(1, 1), trees, cell)
    assert down.flatten().tolist() == [4.0, 6.0, 3.0, 2.0, 1.0]


@pytest.mark.parametrize("climb", [upward, compiled_upward], ids=["levels", "compiled"])
def test_composition_reads_the_left_child_first_whatever_the_node_numbers(climb: Pass):
    # (w1 (w2 w3)) and ((w1 w2) w3) over 1, 10, 100, with p = 2 l + 3 r.
    cell = AffineComposition(1)
    with torch.no_grad():
        cell.linear.weight.copy_(torch.tensor([[2.0, 3.0]]))
        cell.linear.bias.zero_()
    leaves = torch.tensor([[1.0], [10.0], [100.0]])
    right = climb(leaves, TreeBatch.from_trees([right_branching(3)]), cell)
    left = climb(leaves, TreeBatch.from_trees([left_branching(3)]), cell)
    assert right.flatten().tolist() == [1, 10, 100, 320, 962]
    assert left.flatten().tolist() == [1, 10, 100, 32, 364]


def test_values_that_are_known_already_become_differentiable():
    trees = drawn_batch([5, 3])
    cell, leaves = AffineComposition(3), torch.randn(8, 12, requires_grad=True)
    known = compiled_upward(leaves, trees, cell).detach()
    again = affine_upward(leaves, trees, cell.linear, None, known.clone())
    torch.testing.assert_close(again, known, atol=0, rtol=0)
    again.pow(2).sum().backward()
    gradient = leaves.grad
    leaves.grad = None
    compiled_upward(leaves, trees, cell).pow(2).sum().backward()
    torch.testing.assert_close(gradient, leaves.grad)
