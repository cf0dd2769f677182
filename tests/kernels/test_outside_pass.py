"""The outside pass against plain recursion, one node after the other, recorded by autograd."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from selfsent.kernels.outside_pass import outside
from selfsent.modules.inside_outside import OutsideCell
from selfsent.trees.arrays import Tree, TreeBatch
from selfsent.trees.builders import random_tree

DIMENSION = 5
LENGTHS = [[1], [2], [0, 5, 1, 0, 9, 3], [6, 6, 6], [30], [1, 1]]


def drawn_batch(lengths: list[int]) -> TreeBatch:
    generator = np.random.default_rng(0)
    return TreeBatch.from_trees([random_tree(num_tokens, generator) for num_tokens in lengths])


def recursive_outside(
    root: Tensor, inside: Tensor, trees: TreeBatch, cell: OutsideCell, noise: Tensor | None
) -> Tensor:
    """One row at a time, from each root down; the cell's two maps are called for one child alone."""
    rows: dict[int, Tensor] = {}

    def descend(tree: Tree, first: int, node: int, value: Tensor) -> None:
        rows[first + node] = value
        merge = node - tree.num_tokens
        if merge < 0:
            return
        left, right = int(tree.left[merge]), int(tree.right[merge])
        for child, sibling, linear in ((left, right, cell.left), (right, left, cell.right)):
            said = torch.tanh(linear.weight @ torch.cat([value, inside[first + sibling]]) + linear.bias)
            descend(tree, first, child, said if noise is None else said * noise[first + child])

    for tree, (first, end) in zip(trees, pairwise(trees.offsets.tolist()), strict=True):
        if end > first:
            descend(tree, first, end - first - 1, root)
    return torch.stack([rows[node] for node in range(trees.num_nodes)])


@pytest.mark.parametrize("is_noisy", [False, True])
@pytest.mark.parametrize("lengths", LENGTHS)
def test_values_and_gradients_are_those_of_plain_recursion(lengths: list[int], is_noisy: bool):
    torch.manual_seed(0)
    trees, cell = drawn_batch(lengths), OutsideCell(DIMENSION).double()
    inside = torch.randn(trees.num_nodes, DIMENSION, dtype=torch.float64, requires_grad=True)
    root = torch.randn(DIMENSION, dtype=torch.float64, requires_grad=True)
    noise = torch.rand(trees.num_nodes, DIMENSION, dtype=torch.float64) * 2 if is_noisy else None
    outer = torch.randn(trees.num_nodes, DIMENSION, dtype=torch.float64)
    outcomes: list[tuple[Tensor, ...]] = []
    for compute in (outside, recursive_outside):
        nodes = compute(root, inside, trees, cell, noise)
        sources = [root, inside, *cell.parameters()]
        gradients = torch.autograd.grad(nodes, sources, outer, materialize_grads=True)
        outcomes.append((nodes, *gradients))
    for ours, expected in zip(*outcomes, strict=True):
        torch.testing.assert_close(ours, expected)


def test_frozen_weights_get_no_gradient_and_the_others_do():
    trees, cell = drawn_batch([4, 3]), OutsideCell(DIMENSION)
    cell.left.requires_grad_(False)
    inside = torch.randn(trees.num_nodes, DIMENSION, requires_grad=True)
    outside(torch.zeros(DIMENSION), inside, trees, cell).sum().backward()
    assert cell.left.weight.grad is None
    assert cell.right.weight.grad is not None
    assert inside.grad is not None


def test_a_second_derivative_is_refused():
    trees, cell = drawn_batch([3]), OutsideCell(DIMENSION)
    inside = torch.randn(trees.num_nodes, DIMENSION, requires_grad=True)
    nodes = outside(torch.zeros(DIMENSION), inside, trees, cell)
    (gradient,) = torch.autograd.grad(nodes.square().sum(), inside, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


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
