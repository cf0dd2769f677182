from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from selfsent.kernels.affine_passes import affine_downward, affine_upward
from selfsent.kernels.passes import downward, upward
from selfsent.modules import AffineComposition, AffineDecomposition
from selfsent.trees.arrays import Tree, TreeBatch
from selfsent.trees.builders import balanced, left_branching, random_tree, right_branching

LENGTHS = [[1], [2], [0, 5, 1, 0, 9, 3], [6, 6, 6], [30]]

Pass = Callable[..., Tensor]


def compiled_upward(leaves: Tensor, trees: TreeBatch, composition: Any, noise: Tensor | None = None) -> Tensor:
    return affine_upward(leaves, trees, composition.linear, noise)


def compiled_downward(roots: Tensor, trees: TreeBatch, decomposition: Any, noise: Tensor | None = None) -> Tensor:
    return affine_downward(roots, trees, decomposition.linear, noise)


UPWARD = pytest.mark.parametrize(
    ("climb", "dtype"),
    [(upward, torch.float64), (upward, torch.float32), (compiled_upward, torch.float32)],
    ids=["float64", "float32", "compiled"],
)
DOWNWARD = pytest.mark.parametrize(
    ("descend", "dtype"),
    [(downward, torch.float64), (downward, torch.float32), (compiled_downward, torch.float32)],
    ids=["float64", "float32", "compiled"],
)


def drawn_batch(lengths: list[int]) -> TreeBatch:
    generator = np.random.default_rng(0)
    return TreeBatch.from_trees([random_tree(num_tokens, generator) for num_tokens in lengths])


def naive_upward(leaves: Tensor, trees: TreeBatch, composition: nn.Module, noise: Tensor | None = None) -> Tensor:
    """Compose one node after the other, recorded by autograd."""
    rows: list[Tensor] = []
    leaf = merge = 0
    for tree in trees:
        local = list(leaves[leaf : leaf + tree.num_tokens])
        for left, right in zip(tree.left.tolist(), tree.right.tolist(), strict=True):
            parent = composition(local[left][None], local[right][None])[0]
            local.append(parent if noise is None else parent * noise[merge])
            merge += 1
        rows += local
        leaf += tree.num_tokens
    return torch.stack(rows)


def naive_downward(roots: Tensor, trees: TreeBatch, decomposition: nn.Module, noise: Tensor | None = None) -> Tensor:
    """Decompose from each root by recursion, recorded by autograd."""
    rows: dict[int, Tensor] = {}

    def descend(tree: Tree, first: int, node: int, value: Tensor) -> None:
        rows[first + node] = value
        if node >= tree.num_tokens:
            merge = node - tree.num_tokens
            for child, part in zip((tree.left[merge], tree.right[merge]), decomposition(value[None]), strict=True):
                factor = 1 if noise is None else noise[first + int(child)]
                descend(tree, first, int(child), part[0] * factor)

    kept = [(tree, int(first)) for tree, first in zip(trees, trees.offsets, strict=False) if tree.num_tokens]
    for (tree, first), root in zip(kept, roots, strict=True):
        descend(tree, first, 2 * tree.num_tokens - 2, root)
    return torch.stack([rows[node] for node in range(trees.num_nodes)])


def drawn_inputs(
    cell: nn.Module, num_rows: int, num_noises: int, dtype: torch.dtype, *, is_noisy: bool
) -> tuple[nn.Module, Tensor, Tensor | None]:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(num_rows, 12, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
    noise = (torch.rand(num_noises, 12, generator=generator, dtype=torch.float64) * 2).to(dtype) if is_noisy else None
    return cell.to(dtype), rows, noise


def assert_same_values_and_gradients(
    ours: Pass, naive: Pass, *, rows: Tensor, trees: TreeBatch, cell: Any, noise: Tensor | None
):
    outcomes = []
    weights = torch.randn(trees.num_nodes, rows.shape[1], generator=torch.Generator().manual_seed(1)).to(rows)
    for compute in (ours, naive):
        values = compute(rows, trees, cell, noise)
        # A cubed sum: the gradient that arrives differs from node to node and depends on the values.
        gradients = torch.autograd.grad(((values * weights) ** 3).sum(), [rows, *cell.parameters()], allow_unused=True)
        # A cell that no merge calls has no gradient in the naive form.
        parameters = [rows, *cell.parameters()]
        outcomes.append(
            [values, *(torch.zeros_like(p) if g is None else g for g, p in zip(gradients, parameters, strict=True))]
        )
    tolerance = {"atol": 1e-12, "rtol": 1e-10} if rows.dtype == torch.float64 else {"atol": 1e-4, "rtol": 1e-4}
    for one, other in zip(*outcomes, strict=True):
        torch.testing.assert_close(one, other, **tolerance)


@UPWARD
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("is_noisy", [False, True], ids=["plain", "noise"])
def test_the_upward_pass_equals_a_naive_one(climb: Pass, dtype: torch.dtype, lengths: list[int], is_noisy: bool):
    trees = drawn_batch(lengths)
    torch.manual_seed(0)
    inputs = drawn_inputs(AffineComposition(3), sum(lengths), len(trees.left), dtype, is_noisy=is_noisy)
    cell, leaves, noise = inputs
    assert_same_values_and_gradients(climb, naive_upward, rows=leaves, trees=trees, cell=cell, noise=noise)


@DOWNWARD
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("is_noisy", [False, True], ids=["plain", "noise"])
def test_the_downward_pass_equals_a_naive_one(descend: Pass, dtype: torch.dtype, lengths: list[int], is_noisy: bool):
    trees = drawn_batch(lengths)
    torch.manual_seed(0)
    num_roots = sum(length > 0 for length in lengths)
    cell, roots, noise = drawn_inputs(AffineDecomposition(3), num_roots, trees.num_nodes, dtype, is_noisy=is_noisy)
    assert_same_values_and_gradients(descend, naive_downward, rows=roots, trees=trees, cell=cell, noise=noise)


@pytest.mark.parametrize("is_noisy", [False, True], ids=["plain", "noise"])
def test_both_passes_have_the_gradients_of_finite_differences(is_noisy: bool):
    trees = drawn_batch([0, 4, 1, 3])
    torch.manual_seed(0)
    cell, leaves, noise = drawn_inputs(AffineComposition(3), 8, 5, torch.float64, is_noisy=is_noisy)
    assert torch.autograd.gradcheck(lambda rows, *_: upward(rows, trees, cell, noise), (leaves, *cell.parameters()))
    cell, roots, noise = drawn_inputs(AffineDecomposition(3), 3, trees.num_nodes, torch.float64, is_noisy=is_noisy)
    assert torch.autograd.gradcheck(lambda rows, *_: downward(rows, trees, cell, noise), (roots, *cell.parameters()))


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


@pytest.mark.parametrize(("climb", "descend"), [(upward, downward), (compiled_upward, compiled_downward)])
def test_a_batch_without_a_token_passes(climb: Pass, descend: Pass):
    trees = drawn_batch([0, 0])
    assert climb(torch.zeros(0, 4), trees, AffineComposition(2)).shape == (0, 4)
    assert descend(torch.zeros(0, 4), trees, AffineDecomposition(2)).shape == (0, 4)


@pytest.mark.parametrize("climb", [upward, compiled_upward], ids=["levels", "compiled"])
def test_a_sentences_gradient_does_not_depend_on_its_batch_mates(climb: Pass):
    lengths = [5, 1, 20, 3]
    trees = drawn_batch(lengths)
    cell = AffineComposition(3)
    leaves = torch.randn(sum(lengths), 12, requires_grad=True)
    climb(leaves, trees, cell)[trees.roots].sum().backward()
    parts = leaves.detach().split(lengths)
    assert leaves.grad is not None
    for tree, part, expected in zip(trees, parts, leaves.grad.split(lengths), strict=True):
        alone = part.clone().requires_grad_()
        climb(alone, TreeBatch.from_trees([tree]), cell)[-1].sum().backward()
        assert alone.grad is not None
        torch.testing.assert_close(alone.grad, expected)


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


def test_a_frozen_cell_gets_no_gradient_and_lets_it_through():
    trees = TreeBatch.from_trees([balanced(4)])
    cell, leaves = AffineComposition(2).requires_grad_(False), torch.randn(4, 4, requires_grad=True)
    upward(leaves, trees, cell).sum().backward()
    assert leaves.grad is not None
    assert leaves.grad.abs().sum() > 0
    assert cell.linear.weight.grad is None


@pytest.mark.parametrize("climb", [upward, compiled_upward], ids=["levels", "compiled"])
def test_a_second_derivative_is_refused_rather_than_wrong(climb: Pass):
    trees = TreeBatch.from_trees([balanced(3)])
    leaves = torch.randn(3, 4, requires_grad=True)
    values = climb(leaves, trees, AffineComposition(2)).pow(2).sum()
    (gradient,) = torch.autograd.grad(values, leaves, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
