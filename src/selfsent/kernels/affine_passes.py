"""The upward and downward passes for affine cells, compiled: whole trees, parallel over sentences, no Python a level.

``passes.upward`` and ``passes.downward`` are the plain forms they are tested against; these serve float32, with numba
on a CPU and with Triton on a GPU (`selfsent.kernels.triton_passes`).
Each sentence sums its share of the weights' gradients on its own, so the result does not depend on threads.
Source: Opper et al., EMNLP 2023, Section 3 (composition and decomposition along a tree).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from selfsent.compiler import compiled, is_compiled
from selfsent.kernels.greedy_merges import _compose, _room
from selfsent.kernels.small_products import FloatArray, add_products, widened
from selfsent.kernels.threaded_ranges import over_ranges
from selfsent.kernels.triton_choice import uses_triton
from selfsent.trees.arrays import IntArray, TreeBatch


@dataclass(frozen=True)
class AffineMap:
    """Weight and bias of an affine map, as `torch.nn.Linear` has them: what the compiled kernels take of a cell."""

    weight: Tensor
    bias: Tensor


def is_compiled_for(values: Tensor) -> bool:
    """Whether compiled loops serve a tensor: float32 on a CPU, where numba is installed."""
    return is_compiled and values.device.type == "cpu" and values.dtype == torch.float32


def serves(values: Tensor, linear: nn.Linear | AffineMap) -> bool:
    """Whether the passes of this module serve a tensor and a cell: compiled for a CPU, or float32 on a GPU."""
    return is_compiled_for(values) or (values.dtype == torch.float32 and _is_for_triton(values, linear.weight))


def _is_for_triton(values: Tensor, weight: Tensor) -> bool:
    return uses_triton(values, channel_size=min(weight.shape))


def affine_upward(
    leaves: Float[Tensor, "L D"],
    trees: TreeBatch,
    linear: nn.Linear | AffineMap,
    noise: Float[Tensor, "I D"] | None = None,
    up: Float[Tensor, "N D"] | None = None,
) -> Float[Tensor, "N D"]:
    """Compose every internal node from its children, leaves to root.

    Args:
        leaves: Leaf embeddings in reading order, all sentences one after another.
        trees: The trees to follow.
        linear: The affine composition, ``(U, 2U)`` with bias.
        noise: Factors on each composed embedding (dropout), in merge order; ``None`` for none.
        up: The result, where induction has computed it already; it only becomes differentiable here.

    Returns:
        Upward embeddings of all nodes. Gradients reach ``leaves``, weight and bias.
    """
    return _AffineUpward.apply(leaves, linear.weight, linear.bias, noise, trees, up)  # pyright: ignore[reportReturnType]


def affine_downward(
    roots: Float[Tensor, "R D"],
    trees: TreeBatch,
    linear: nn.Linear | AffineMap,
    noise: Float[Tensor, "N D"] | None = None,
) -> Float[Tensor, "N D"]:
    """Decompose every internal node into its children, root to leaves.

    Args:
        roots: Upward embedding of the root of each sentence that has a token; as it stands, the root's downward one.
        trees: The trees to follow.
        linear: The affine decomposition, ``(2U, U)`` with bias.
        noise: Factors on each decomposed embedding (dropout), one row a node; ``None`` for none.

    Returns:
        Downward embeddings of all nodes. Gradients reach ``roots``, weight and bias.
    """
    return _AffineDownward.apply(roots, linear.weight, linear.bias, noise, trees)  # pyright: ignore[reportReturnType]


def _array(tensor: Tensor | None) -> FloatArray:
    return np.zeros((0, 0), np.float32) if tensor is None else tensor.detach().contiguous().numpy()


def _merges(trees: TreeBatch) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    first_parents = trees.offsets[:-1] + trees.num_tokens
    return trees.merge_offsets, first_parents, trees.left, trees.right


def _fill(
    kernel: Callable[..., None], trees: TreeBatch, values: Tensor, linear: AffineMap, noise: Tensor | None
) -> None:
    """Run a forward kernel, which fills in the nodes that are not known."""
    if _is_for_triton(values, linear.weight):
        from selfsent.kernels import triton_passes  # noqa: PLC0415 it imports triton

        of_gpu = triton_passes.compose if kernel is _compose_all else triton_passes.decompose
        of_gpu(trees, values, linear.weight.detach(), linear.bias.detach(), noise)
    else:
        weight_t, bias = (widened(_array(tensor)) for tensor in (linear.weight.T, linear.bias))
        arrays = (*_merges(trees), _array(values), weight_t, bias, _array(noise))
        over_ranges(lambda first, end: kernel(first, end, *arrays), len(trees), num_values=values.numel())


def _gradients(
    kernel: Callable[..., None], trees: TreeBatch, values: Tensor, outer: Tensor, weight: Tensor, noise: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Run a backward kernel; return the gradients of all nodes, of the weight and of the bias."""
    gradient = outer.clone(memory_format=torch.contiguous_format)
    if _is_for_triton(values, weight):
        from selfsent.kernels import triton_passes  # noqa: PLC0415 it imports triton

        is_upward = kernel is _compose_all_backward
        of_gpu = triton_passes.compose_backward if is_upward else triton_passes.decompose_backward
        return gradient, *of_gpu(trees, values, gradient, weight, noise)
    wide = widened(_array(weight))
    of_weight = weight.new_zeros(len(trees), *wide.shape)
    of_bias = weight.new_zeros(len(trees), weight.shape[0])
    of_cell = (_array(noise), _array(of_weight), _array(of_bias))
    arrays = (*_merges(trees), _array(values), _array(gradient), wide, *of_cell)
    over_ranges(lambda first, end: kernel(first, end, *arrays), len(trees), num_values=values.numel())
    return gradient, of_weight.sum(dim=0)[:, : weight.shape[1]], of_bias.sum(dim=0)


class _AffineUpward(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        leaves: Tensor,
        weight: Tensor,
        bias: Tensor,
        noise: Tensor | None,
        trees: TreeBatch,
        up: Tensor | None,
    ) -> Tensor:
        if up is None:
            up = leaves.new_empty(trees.num_nodes, leaves.shape[1])
            up[trees.leaf_nodes] = leaves.detach()
            _fill(_compose_all, trees, up, AffineMap(weight, bias), noise)
        ctx.save_for_backward(up, weight, noise)
        ctx.trees = trees
        return up

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride] its decorator hides the names
        up, weight, noise = ctx.saved_tensors
        trees: TreeBatch = ctx.trees
        gradient, of_weight, of_bias = _gradients(_compose_all_backward, trees, up, gradients[0], weight, noise)
        return gradient[trees.leaf_nodes], of_weight, of_bias, None, None, None


class _AffineDownward(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, roots: Tensor, weight: Tensor, bias: Tensor, noise: Tensor | None, trees: TreeBatch
    ) -> Tensor:
        down = roots.new_empty(trees.num_nodes, roots.shape[1])
        down[trees.roots[trees.roots >= 0]] = roots.detach()
        _fill(_decompose_all, trees, down, AffineMap(weight, bias), noise)
        ctx.save_for_backward(down, weight, noise)
        ctx.trees = trees
        return down

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride] its decorator hides the names
        down, weight, noise = ctx.saved_tensors
        trees: TreeBatch = ctx.trees
        gradient, of_weight, of_bias = _gradients(_decompose_all_backward, trees, down, gradients[0], weight, noise)
        roots = gradient[trees.roots[trees.roots >= 0]]
        return roots, of_weight, of_bias, None, None


@compiled()
def _compose_all(
    first_sentence: int,
    end: int,
    merge_offsets: IntArray,
    first_parents: IntArray,
    left: IntArray,
    right: IntArray,
    up: FloatArray,
    weight_t: FloatArray,
    bias: FloatArray,
    noise: FloatArray,
) -> None:
    for s in range(first_sentence, end):
        sums = _room(up.shape[1], weight_t)
        for m in range(merge_offsets[s], merge_offsets[s + 1]):
            parent = up[first_parents[s] + m - merge_offsets[s]]
            _compose(up[left[m]], up[right[m]], weight_t, bias, parent, sums)
            if noise.shape[0] > 0:
                for d in range(up.shape[1]):
                    parent[d] *= noise[m, d]


@compiled()
def _compose_all_backward(
    first_sentence: int,
    end: int,
    merge_offsets: IntArray,
    first_parents: IntArray,
    left: IntArray,
    right: IntArray,
    up: FloatArray,
    gradient: FloatArray,
    weight: FloatArray,
    noise: FloatArray,
    of_weight: FloatArray,
    of_bias: FloatArray,
) -> None:
    size = of_bias.shape[1]
    channels = up.shape[1] // size
    for s in range(first_sentence, end):
        outer = np.empty(up.shape[1], dtype=np.float32)
        children = np.zeros((channels, weight.shape[1]), dtype=np.float32)
        of_children = np.empty_like(children)
        for m in range(merge_offsets[s + 1] - 1, merge_offsets[s] - 1, -1):
            of_parent = gradient[first_parents[s] + m - merge_offsets[s]]
            for d in range(up.shape[1]):
                outer[d] = of_parent[d] * noise[m, d] if noise.shape[0] > 0 else of_parent[d]
            of_left, of_right = gradient[left[m]], gradient[right[m]]
            for channel in range(channels):
                for j in range(size):
                    of_bias[s, j] += outer[channel * size + j]
                    children[channel, j] = up[left[m], channel * size + j]
                    children[channel, size + j] = up[right[m], channel * size + j]
            add_products(outer, 0, 1, size, children, 0, channels, of_weight[s])
            of_children[:] = 0
            add_products(outer, 0, size, 1, weight, 0, size, of_children)
            for channel in range(channels):
                for j in range(size):
                    of_left[channel * size + j] += of_children[channel, j]
                    of_right[channel * size + j] += of_children[channel, size + j]


@compiled()
def _decompose_all(
    first_sentence: int,
    end: int,
    merge_offsets: IntArray,
    first_parents: IntArray,
    left: IntArray,
    right: IntArray,
    down: FloatArray,
    weight_t: FloatArray,
    bias: FloatArray,
    noise: FloatArray,
) -> None:
    size = weight_t.shape[0]
    channels = down.shape[1] // size
    for s in range(first_sentence, end):
        sums = np.empty((channels, weight_t.shape[1]), dtype=np.float32)
        for m in range(merge_offsets[s + 1] - 1, merge_offsets[s] - 1, -1):
            to_left, to_right = down[left[m]], down[right[m]]
            for channel in range(channels):
                for j in range(sums.shape[1]):
                    sums[channel, j] = bias[j]
            add_products(down[first_parents[s] + m - merge_offsets[s]], 0, size, 1, weight_t, 0, size, sums)
            for channel in range(channels):
                for j in range(size):
                    to_left[channel * size + j] = sums[channel, j]
                    to_right[channel * size + j] = sums[channel, size + j]
            if noise.shape[0] > 0:
                for d in range(down.shape[1]):
                    to_left[d] *= noise[left[m], d]
                    to_right[d] *= noise[right[m], d]


@compiled()
def _decompose_all_backward(
    first_sentence: int,
    end: int,
    merge_offsets: IntArray,
    first_parents: IntArray,
    left: IntArray,
    right: IntArray,
    down: FloatArray,
    gradient: FloatArray,
    weight: FloatArray,
    noise: FloatArray,
    of_weight: FloatArray,
    of_bias: FloatArray,
) -> None:
    size = of_bias.shape[1] // 2
    channels = down.shape[1] // size
    for s in range(first_sentence, end):
        outer = np.empty(2 * down.shape[1], dtype=np.float32)
        values = np.zeros((channels, weight.shape[1]), dtype=np.float32)
        of_values = np.empty_like(values)
        for m in range(merge_offsets[s], merge_offsets[s + 1]):
            parent = first_parents[s] + m - merge_offsets[s]
            one, other = left[m], right[m]
            for channel in range(channels):
                for j in range(size):
                    d, to_one, to_other = channel * size + j, 2 * channel * size + j, (2 * channel + 1) * size + j
                    outer[to_one] = gradient[one, d] * (noise[one, d] if noise.shape[0] > 0 else np.float32(1))
                    outer[to_other] = gradient[other, d] * (noise[other, d] if noise.shape[0] > 0 else np.float32(1))
                    of_bias[s, j] += outer[to_one]
                    of_bias[s, size + j] += outer[to_other]
                    values[channel, j] = down[parent, d]
            add_products(outer, 0, 1, 2 * size, values, 0, channels, of_weight[s])
            of_values[:] = 0
            add_products(outer, 0, 2 * size, 1, weight, 0, 2 * size, of_values)
            for channel in range(channels):
                for j in range(size):
                    gradient[parent, channel * size + j] += of_values[channel, j]
