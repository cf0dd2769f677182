"""The upward and downward passes for affine cells on a GPU: one Triton program a sentence and group of channels.

A program follows its sentence's merges in order, so no level is launched by itself; channels do not meet in these
passes, so groups of them run side by side. These are the kernels of `selfsent.kernels.affine_passes`.

Source: Opper et al., EMNLP 2023, Section 3 (composition and decomposition along a tree).
"""

# Triton is not on every machine, so its types are not known where this is checked.
# pyright: reportInvalidTypeForm=false, reportUnknownParameterType=false

from typing import Any

import torch
from torch import Tensor

from selfsent.kernels.triton_cells import channel_blocks, load_weight, multiply, outer, transposed_multiply
from selfsent.kernels.triton_language import tl, triton
from selfsent.trees.arrays import TreeBatch


def compose(trees: TreeBatch, up: Tensor, weight: Tensor, bias: Tensor, noise: Tensor | None) -> None:
    """Fill in the inner nodes of ``up``, whose leaves are known; ``weight`` is ``(U, 2U)``."""
    _launch(_compose, trees, up, weight, [up, weight.contiguous(), bias, noise])


def decompose(trees: TreeBatch, down: Tensor, weight: Tensor, bias: Tensor, noise: Tensor | None) -> None:
    """Fill in all nodes of ``down`` but the roots, which are known; ``weight`` is ``(2U, U)``."""
    _launch(_decompose, trees, down, weight, [down, weight.contiguous(), bias, noise])


def compose_backward(
    trees: TreeBatch, up: Tensor, gradient: Tensor, weight: Tensor, noise: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Add to ``gradient`` what nodes get through their parents; return the gradients of weight and bias."""
    return _backward(_compose_backward, trees, up, gradient, weight, noise)


def decompose_backward(
    trees: TreeBatch, down: Tensor, gradient: Tensor, weight: Tensor, noise: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Add to ``gradient`` what nodes get through their children; return the gradients of weight and bias."""
    return _backward(_decompose_backward, trees, down, gradient, weight, noise)


def _backward(
    kernel: Any, trees: TreeBatch, values: Tensor, gradient: Tensor, weight: Tensor, noise: Tensor | None
) -> tuple[Tensor, Tensor]:
    size = min(weight.shape)
    num_blocks = channel_blocks(values.shape[1], size)["num_blocks"]
    of_weight = weight.new_zeros(len(trees), num_blocks, *weight.shape)
    of_bias = weight.new_zeros(len(trees), num_blocks, weight.shape[0])
    _launch(kernel, trees, values, weight, [values, gradient, weight.contiguous(), noise, of_weight, of_bias])
    return of_weight.sum(dim=(0, 1)), of_bias.sum(dim=(0, 1))


def _launch(kernel: Any, trees: TreeBatch, values: Tensor, weight: Tensor, tensors: list[Tensor | None]) -> None:
    if not len(trees.left):
        return
    first_parents = trees.offsets[:-1] + trees.num_tokens
    arrays = (trees.merge_offsets, first_parents, trees.left, trees.right)
    indices = [torch.from_numpy(array).to(values.device) for array in arrays]
    sizes = channel_blocks(values.shape[1], min(weight.shape))
    num_blocks = sizes.pop("num_blocks")
    noise_position = 3
    has_noise = tensors[noise_position] is not None
    given = [values if tensor is None else tensor.contiguous() for tensor in tensors]
    with torch.cuda.device_of(values):
        kernel[(len(trees), num_blocks)](*indices, *given, has_noise=has_noise, **sizes)


@triton.jit
def _compose(
    merge_offsets: tl.tensor,
    first_parents: tl.tensor,
    lefts: tl.tensor,
    rights: tl.tensor,
    up: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    noise: tl.tensor,
    channels: tl.constexpr,
    size: tl.constexpr,
    channels_a_block: tl.constexpr,
    padded: tl.constexpr,
    has_noise: tl.constexpr,
) -> None:
    sentence = tl.program_id(0)
    channel = tl.program_id(1) * channels_a_block + tl.arange(0, channels_a_block)
    value = tl.arange(0, padded)
    inside = (channel < channels)[:, None] & (value < size)[None, :]
    place = channel[:, None] * size + value[None, :]
    width = channels * size
    of_left = load_weight(weight, 2 * size, size, padded)
    of_right = load_weight(weight + size, 2 * size, size, padded)
    biases = tl.load(bias + value, mask=value < size, other=0.0)
    first, end = tl.load(merge_offsets + sentence), tl.load(merge_offsets + sentence + 1)
    parent = tl.load(first_parents + sentence)
    for merge in range(first, end):
        left = tl.load(up + tl.load(lefts + merge) * width + place, mask=inside, other=0.0)
        right = tl.load(up + tl.load(rights + merge) * width + place, mask=inside, other=0.0)
        values = multiply(left, of_left) + multiply(right, of_right) + biases[None, :]
        if has_noise:
            values *= tl.load(noise + merge * width + place, mask=inside, other=0.0)
        tl.store(up + (parent + merge - first) * width + place, values, mask=inside)
        tl.debug_barrier()  # other threads of this program read the row next


@triton.jit
def _decompose(
    merge_offsets: tl.tensor,
    first_parents: tl.tensor,
    lefts: tl.tensor,
    rights: tl.tensor,
    down: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    noise: tl.tensor,
    channels: tl.constexpr,
    size: tl.constexpr,
    channels_a_block: tl.constexpr,
    padded: tl.constexpr,
    has_noise: tl.constexpr,
) -> None:
    sentence = tl.program_id(0)
    channel = tl.program_id(1) * channels_a_block + tl.arange(0, channels_a_block)
    value = tl.arange(0, padded)
    inside = (channel < channels)[:, None] & (value < size)[None, :]
    place = channel[:, None] * size + value[None, :]
    width = channels * size
    of_left = load_weight(weight, size, size, padded)
    of_right = load_weight(weight + size * size, size, size, padded)
    left_biases = tl.load(bias + value, mask=value < size, other=0.0)
    right_biases = tl.load(bias + size + value, mask=value < size, other=0.0)
    first, end = tl.load(merge_offsets + sentence), tl.load(merge_offsets + sentence + 1)
    parent = tl.load(first_parents + sentence)
    for step in range(end - first):
        merge = end - 1 - step
        values = tl.load(down + (parent + merge - first) * width + place, mask=inside, other=0.0)
        left, right = tl.load(lefts + merge) * width + place, tl.load(rights + merge) * width + place
        to_left = multiply(values, of_left) + left_biases[None, :]
        to_right = multiply(values, of_right) + right_biases[None, :]
        if has_noise:
            to_left *= tl.load(noise + left, mask=inside, other=0.0)
            to_right *= tl.load(noise + right, mask=inside, other=0.0)
        tl.store(down + left, to_left, mask=inside)
        tl.store(down + right, to_right, mask=inside)
        tl.debug_barrier()


@triton.jit
def _compose_backward(
    merge_offsets: tl.tensor,
    first_parents: tl.tensor,
    lefts: tl.tensor,
    rights: tl.tensor,
    up: tl.tensor,
    gradient: tl.tensor,
    weight: tl.tensor,
    noise: tl.tensor,
    of_weight: tl.tensor,
    of_bias: tl.tensor,
    channels: tl.constexpr,
    size: tl.constexpr,
    channels_a_block: tl.constexpr,
    padded: tl.constexpr,
    has_noise: tl.constexpr,
) -> None:
    sentence = tl.program_id(0)
    channel = tl.program_id(1) * channels_a_block + tl.arange(0, channels_a_block)
    value = tl.arange(0, padded)
    inside = (channel < channels)[:, None] & (value < size)[None, :]
    place = channel[:, None] * size + value[None, :]
    width = channels * size
    of_left = load_weight(weight, 2 * size, size, padded)
    of_right = load_weight(weight + size, 2 * size, size, padded)
    left_total, right_total = tl.zeros([padded, padded], tl.float32), tl.zeros([padded, padded], tl.float32)
    bias_total = tl.zeros([padded], tl.float32)
    first, end = tl.load(merge_offsets + sentence), tl.load(merge_offsets + sentence + 1)
    parent = tl.load(first_parents + sentence)
    for step in range(end - first):
        merge = end - 1 - step
        of_parent = tl.load(gradient + (parent + merge - first) * width + place, mask=inside, other=0.0)
        if has_noise:
            of_parent *= tl.load(noise + merge * width + place, mask=inside, other=0.0)
        left, right = tl.load(lefts + merge) * width + place, tl.load(rights + merge) * width + place
        bias_total += tl.sum(of_parent, axis=0)
        left_total += outer(of_parent, tl.load(up + left, mask=inside, other=0.0))
        right_total += outer(of_parent, tl.load(up + right, mask=inside, other=0.0))
        for_left = tl.load(gradient + left, mask=inside, other=0.0) + transposed_multiply(of_parent, of_left)
        for_right = tl.load(gradient + right, mask=inside, other=0.0) + transposed_multiply(of_parent, of_right)
        tl.store(gradient + left, for_left, mask=inside)
        tl.store(gradient + right, for_right, mask=inside)
        tl.debug_barrier()
    block = sentence * tl.num_programs(1) + tl.program_id(1)
    is_weight = (value < size)[:, None] & (value < size)[None, :]
    target = of_weight + block * 2 * size * size + value[:, None] * 2 * size + value[None, :]
    tl.store(target, left_total, mask=is_weight)
    tl.store(target + size, right_total, mask=is_weight)
    tl.store(of_bias + block * size + value, bias_total, mask=value < size)


@triton.jit
def _decompose_backward(
    merge_offsets: tl.tensor,
    first_parents: tl.tensor,
    lefts: tl.tensor,
    rights: tl.tensor,
    down: tl.tensor,
    gradient: tl.tensor,
    weight: tl.tensor,
    noise: tl.tensor,
    of_weight: tl.tensor,
    of_bias: tl.tensor,
    channels: tl.constexpr,
    size: tl.constexpr,
    channels_a_block: tl.constexpr,
    padded: tl.constexpr,
    has_noise: tl.constexpr,
) -> None:
    sentence = tl.program_id(0)
    channel = tl.program_id(1) * channels_a_block + tl.arange(0, channels_a_block)
    value = tl.arange(0, padded)
    inside = (channel < channels)[:, None] & (value < size)[None, :]
    place = channel[:, None] * size + value[None, :]
    width = channels * size
    of_left = load_weight(weight, size, size, padded)
    of_right = load_weight(weight + size * size, size, size, padded)
    left_total, right_total = tl.zeros([padded, padded], tl.float32), tl.zeros([padded, padded], tl.float32)
    left_bias_total, right_bias_total = tl.zeros([padded], tl.float32), tl.zeros([padded], tl.float32)
    first, end = tl.load(merge_offsets + sentence), tl.load(merge_offsets + sentence + 1)
    parent = tl.load(first_parents + sentence)
    for merge in range(first, end):
        left, right = tl.load(lefts + merge) * width + place, tl.load(rights + merge) * width + place
        from_left = tl.load(gradient + left, mask=inside, other=0.0)
        from_right = tl.load(gradient + right, mask=inside, other=0.0)
        if has_noise:
            from_left *= tl.load(noise + left, mask=inside, other=0.0)
            from_right *= tl.load(noise + right, mask=inside, other=0.0)
        own = (parent + merge - first) * width + place
        values = tl.load(down + own, mask=inside, other=0.0)
        left_total += outer(from_left, values)
        right_total += outer(from_right, values)
        left_bias_total += tl.sum(from_left, axis=0)
        right_bias_total += tl.sum(from_right, axis=0)
        of_parent = transposed_multiply(from_left, of_left) + transposed_multiply(from_right, of_right)
        tl.store(gradient + own, tl.load(gradient + own, mask=inside, other=0.0) + of_parent, mask=inside)
        tl.debug_barrier()
    block = sentence * tl.num_programs(1) + tl.program_id(1)
    is_weight = (value < size)[:, None] & (value < size)[None, :]
    target = of_weight + block * 2 * size * size + value[:, None] * size + value[None, :]
    tl.store(target, left_total, mask=is_weight)
    tl.store(target + size * size, right_total, mask=is_weight)
    tl.store(of_bias + block * 2 * size + value, left_bias_total, mask=value < size)
    tl.store(of_bias + block * 2 * size + size + value, right_bias_total, mask=value < size)
