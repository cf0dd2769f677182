"""The passes over entangled trees for diagonal cells, compiled: one loop over the merges, parallel over values.

A diagonal cell treats every value alone, so each thread takes some values through the whole graph, up or down, without
waiting for another. Children stand before their parents: up is the order of merges, down is its reverse.
``passes.upward`` and ``entangled_passes.entangled_downward`` are the plain forms these are tested against.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from selfsent.compiler import compiled
from selfsent.kernels.small_products import FloatArray
from selfsent.kernels.threaded_ranges import over_ranges
from selfsent.trees.entangled import EntangledTrees
from selfsent.trees.tree import IntArray

_VALUES_A_BLOCK = 32


def diagonal_upward(
    leaves: Float[Tensor, "L D"],
    graph: EntangledTrees,
    gates: Float[Tensor, "2 D"],
    bias: Float[Tensor, " D"],
    noise: Float[Tensor, "I D"] | None = None,
) -> Float[Tensor, "N D"]:
    """Compose every node: ``left * gates[0] + right * gates[1] + bias``.

    Args:
        leaves: Leaf embeddings by token, float32 on a CPU.
        graph: The entangled trees.
        gates: Factors on the left and on the right child.
        bias: Added to each node.
        noise: Factors on each composed embedding (dropout), in merge order; ``None`` for none.

    Returns:
        Upward embeddings of all nodes. Gradients reach leaves, gates and bias.
    """
    return _DiagonalUpward.apply(leaves, gates, bias, noise, graph)  # pyright: ignore[reportReturnType]


def diagonal_downward(
    tops: Float[Tensor, "R D"],
    graph: EntangledTrees,
    gates: Float[Tensor, "2 D"],
    biases: Float[Tensor, "2 D"],
    noise: Float[Tensor, "2 I D"] | None = None,
) -> Float[Tensor, "N D"]:
    """Send ``parent * gates[side] + biases[side]`` to each child; a node is the mean of what its parents send.

    Args:
        tops: Upward embeddings of ``graph.tops``, float32 on a CPU.
        graph: The entangled trees.
        gates: Factors on messages to the left and to the right child.
        biases: Added to them.
        noise: Factors on messages (dropout), left and right, in merge order; ``None`` for none.

    Returns:
        Downward embeddings of all nodes. Gradients reach tops, gates and biases.
    """
    return _DiagonalDownward.apply(tops, gates, biases, noise, graph)  # pyright: ignore[reportReturnType]


def _array(tensor: Tensor) -> FloatArray:
    return tensor.detach().contiguous().numpy()


def _noise(noise: Tensor | None, num_axes: int) -> FloatArray:
    return np.zeros((0,) * num_axes, np.float32) if noise is None else _array(noise)


def _shares(graph: EntangledTrees) -> FloatArray:
    """One over the number of parents of each node."""
    return graph.num_parents.clamp(min=1).float().reciprocal().numpy()


def _over_values(kernel: Callable[..., None], graph: EntangledTrees, nodes: FloatArray, *arrays: FloatArray) -> None:
    """Run a kernel over all blocks of values, on all threads."""
    num_blocks = -(-nodes.shape[1] // _VALUES_A_BLOCK)
    merges = (graph.left, graph.right)
    over_ranges(lambda first, end: kernel(first, end, *merges, nodes, *arrays), num_blocks, num_values=nodes.size)


class _DiagonalUpward(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, leaves: Tensor, gates: Tensor, bias: Tensor, noise: Tensor | None, graph: EntangledTrees
    ) -> Tensor:
        nodes = leaves.new_empty(graph.num_nodes, leaves.shape[1])
        nodes[: len(leaves)] = leaves
        _over_values(_up, graph, nodes.numpy(), _array(gates), _array(bias), _noise(noise, 2))
        ctx.save_for_backward(nodes, gates, bias, noise)
        ctx.graph, ctx.num_leaves = graph, len(leaves)
        return nodes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride] its decorator hides the names
        nodes, gates, bias, noise = ctx.saved_tensors
        gradient = gradients[0].clone(memory_format=torch.contiguous_format)
        of_gates, of_bias = torch.zeros_like(gates), torch.zeros_like(bias)
        arrays = (nodes.numpy(), gradient.numpy(), _array(gates), _noise(noise, 2), of_gates.numpy(), of_bias.numpy())
        _over_values(_up_backward, ctx.graph, *arrays)
        return gradient[: ctx.num_leaves], of_gates, of_bias, None, None


class _DiagonalDownward(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, tops: Tensor, gates: Tensor, biases: Tensor, noise: Tensor | None, graph: EntangledTrees
    ) -> Tensor:
        nodes = tops.new_zeros(graph.num_nodes, tops.shape[1])
        nodes[graph.tops] = tops
        arrays = (nodes.numpy(), _array(gates), _array(biases), _noise(noise, 3), _shares(graph))
        _over_values(_down, graph, *arrays)
        ctx.save_for_backward(nodes, gates, biases, noise)
        ctx.graph = graph
        return nodes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride] its decorator hides the names
        nodes, gates, biases, noise = ctx.saved_tensors
        graph = ctx.graph
        gradient = gradients[0].clone(memory_format=torch.contiguous_format)
        of_gates, of_biases = torch.zeros_like(gates), torch.zeros_like(biases)
        arrays = (nodes.numpy(), gradient.numpy(), _array(gates), _noise(noise, 3), _shares(graph))
        _over_values(_down_backward, graph, *arrays, of_gates.numpy(), of_biases.numpy())
        return gradient[graph.tops], of_gates, of_biases, None, None


@compiled()
def _up(
    first_block: int,
    end_block: int,
    left: IntArray,
    right: IntArray,
    nodes: FloatArray,
    gates: FloatArray,
    bias: FloatArray,
    noise: FloatArray,
) -> None:
    first, width = len(nodes) - len(left), nodes.shape[1]
    for block in range(first_block, end_block):
        start, end = block * _VALUES_A_BLOCK, min((block + 1) * _VALUES_A_BLOCK, width)
        for i in range(len(left)):
            a, b = left[i], right[i]
            for d in range(start, end):
                nodes[first + i, d] = nodes[a, d] * gates[0, d] + nodes[b, d] * gates[1, d] + bias[d]
            if noise.shape[0] > 0:
                for d in range(start, end):
                    nodes[first + i, d] *= noise[i, d]


@compiled()
def _up_backward(
    first_block: int,
    end_block: int,
    left: IntArray,
    right: IntArray,
    nodes: FloatArray,
    gradient: FloatArray,
    gates: FloatArray,
    noise: FloatArray,
    of_gates: FloatArray,
    of_bias: FloatArray,
) -> None:
    first, width = len(nodes) - len(left), nodes.shape[1]
    for block in range(first_block, end_block):
        start, end = block * _VALUES_A_BLOCK, min((block + 1) * _VALUES_A_BLOCK, width)
        for i in range(len(left) - 1, -1, -1):
            a, b = left[i], right[i]
            for d in range(start, end):
                outer = gradient[first + i, d] * (noise[i, d] if noise.shape[0] > 0 else np.float32(1.0))
                of_gates[0, d] += outer * nodes[a, d]
                of_gates[1, d] += outer * nodes[b, d]
                of_bias[d] += outer
                gradient[a, d] += outer * gates[0, d]
                gradient[b, d] += outer * gates[1, d]


@compiled()
def _down(
    first_block: int,
    end_block: int,
    left: IntArray,
    right: IntArray,
    nodes: FloatArray,
    gates: FloatArray,
    biases: FloatArray,
    noise: FloatArray,
    shares: FloatArray,
) -> None:
    first, width = len(nodes) - len(left), nodes.shape[1]
    for block in range(first_block, end_block):
        start, end = block * _VALUES_A_BLOCK, min((block + 1) * _VALUES_A_BLOCK, width)
        for i in range(len(left) - 1, -1, -1):
            for side in range(2):
                child = left[i] if side == 0 else right[i]
                share = shares[child]
                for d in range(start, end):
                    factor = share * (noise[side, i, d] if noise.shape[0] > 0 else np.float32(1.0))
                    nodes[child, d] += (nodes[first + i, d] * gates[side, d] + biases[side, d]) * factor


@compiled()
def _down_backward(
    first_block: int,
    end_block: int,
    left: IntArray,
    right: IntArray,
    nodes: FloatArray,
    gradient: FloatArray,
    gates: FloatArray,
    noise: FloatArray,
    shares: FloatArray,
    of_gates: FloatArray,
    of_biases: FloatArray,
) -> None:
    first, width = len(nodes) - len(left), nodes.shape[1]
    for block in range(first_block, end_block):
        start, end = block * _VALUES_A_BLOCK, min((block + 1) * _VALUES_A_BLOCK, width)
        for i in range(len(left)):
            for side in range(2):
                child = left[i] if side == 0 else right[i]
                share = shares[child]
                for d in range(start, end):
                    factor = share * (noise[side, i, d] if noise.shape[0] > 0 else np.float32(1.0))
                    outer = gradient[child, d] * factor
                    of_gates[side, d] += outer * nodes[first + i, d]
                    of_biases[side, d] += outer
                    gradient[first + i, d] += outer * gates[side, d]
