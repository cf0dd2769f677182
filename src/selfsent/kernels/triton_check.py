"""Triton's kernels beside the plain forms on a small batch: what decides whether they are used on a GPU."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from selfsent.kernels import triton_contrastive, triton_induction, triton_passes
from selfsent.kernels.contrastive_tiles import log_sums_in_tiles, products_in_tiles
from selfsent.kernels.induction_reference import affine, induce_reference
from selfsent.trees.arrays import TreeBatch

_CHANNELS, _SIZE = 4, 3
_NUM_TOKENS = np.array([6, 1, 2])
_SCALE = 2.0


@torch.inference_mode(mode=False)
@torch.enable_grad()
def largest_difference(device: torch.device) -> float:
    """Run every kernel and compare values, gradients and trees, wherever the first use of a kernel stands.

    Args:
        device: A GPU, or any where Triton interprets.

    Returns:
        The largest difference; infinite where a tree is another.
    """
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    leaves, weight, bias = drawn(int(_NUM_TOKENS.sum()), _CHANNELS * _SIZE), drawn(_SIZE, 2 * _SIZE), drawn(_SIZE)
    expected_trees, expected_up = induce_reference(leaves, _NUM_TOKENS, affine(weight, bias))
    trees, up = triton_induction.induce(leaves.to(device), _NUM_TOKENS, weight.to(device), bias.to(device), None)
    if not (np.array_equal(trees.left, expected_trees.left) and np.array_equal(trees.right, expected_trees.right)):
        return float("inf")
    outer = drawn(*up.shape)
    return max(
        _difference([(up, expected_up)]),
        _difference(_upward(trees, (leaves, weight, bias), outer, device)),
        _difference(_downward(trees, (drawn(3, leaves.shape[1]), weight.T, drawn(2 * _SIZE)), outer, device)),
        _difference(_contrast(expected_up, device)),
    )


def _difference(pairs: Iterable[tuple[Tensor, Tensor]]) -> float:
    return max(float((one.detach().cpu().double() - other.detach().double()).abs().max()) for one, other in pairs)


def _upward(
    trees: TreeBatch, inputs: tuple[Tensor, ...], outer: Tensor, device: torch.device
) -> list[tuple[Tensor, Tensor]]:
    """The upward pass: values, then gradients of leaves, weight and bias."""
    leaves, weight, bias = (tensor.clone().requires_grad_() for tensor in inputs)
    _, expected = induce_reference(leaves, trees.num_tokens, affine(weight, bias))
    up = torch.zeros_like(expected, device=device).index_copy_(
        0, trees.leaf_nodes.to(device), leaves.detach().to(device)
    )
    triton_passes.compose(trees, up, inputs[1].to(device), inputs[2].to(device), None)
    gradient = outer.clone().to(device)
    of_parameters = triton_passes.compose_backward(trees, up, gradient, inputs[1].to(device), None)
    plain = torch.autograd.grad(expected, (leaves, weight, bias), outer)
    return list(zip((up, gradient[trees.leaf_nodes], *of_parameters), (expected, *plain), strict=True))


def _downward(
    trees: TreeBatch, inputs: tuple[Tensor, ...], outer: Tensor, device: torch.device
) -> list[tuple[Tensor, Tensor]]:
    """The downward pass: values, then gradients of roots, weight and bias."""
    roots, weight, bias = (tensor.clone().requires_grad_() for tensor in inputs)
    expected = _plain_downward(trees, roots, weight, bias)
    down = torch.zeros_like(expected, device=device)
    down[trees.roots] = inputs[0].to(device)
    there = inputs[1].to(device)
    triton_passes.decompose(trees, down, there, inputs[2].to(device), None)
    gradient = outer.clone().to(device)
    of_parameters = triton_passes.decompose_backward(trees, down, gradient, there, None)
    plain = torch.autograd.grad(expected, (roots, weight, bias), outer)
    return list(zip((down, gradient[trees.roots], *of_parameters), (expected, *plain), strict=True))


def _plain_downward(trees: TreeBatch, roots: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    rows = dict(zip(trees.roots.tolist(), roots, strict=True))
    merges = zip(trees.merge_nodes.tolist(), trees.left.tolist(), trees.right.tolist(), strict=True)
    for parent, left, right in reversed(list(merges)):
        both = functional.linear(rows[parent].unflatten(0, (-1, weight.shape[1])), weight, bias)
        rows[left], rows[right] = (side.flatten() for side in both.chunk(2, dim=1))
    return torch.stack([rows[node] for node in range(trees.num_nodes)])


def _contrast(values: Tensor, device: torch.device) -> list[tuple[Tensor, Tensor]]:
    """The tiled loss: logarithms of sums, then products with softmaxes."""
    rows, columns = (functional.normalize(side.detach(), dim=1) for side in (values, values.flip(1)))
    there = rows.to(device), columns.to(device)
    logs, expected_logs = triton_contrastive.log_sums(*there, _SCALE), log_sums_in_tiles(rows, columns, _SCALE)
    products = triton_contrastive.products_with_softmaxes(*there, *logs, _SCALE)
    plain = products_in_tiles(rows, columns, *expected_logs, _SCALE)
    return list(zip((*logs, *products), (*expected_logs, *plain), strict=True))
