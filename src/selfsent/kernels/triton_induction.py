"""Greedy induction on a GPU: one Triton program a sentence merges its most similar pair until one node is left.

The frontier is a linked list of slots, as in `selfsent.kernels.induction`; a slot that is gone, and the last one, have
the similarity minus infinity, so that the best pair is the first largest of a plain scan.

Source: Opper et al., EMNLP 2023 (Self-StrAE).
"""

# Triton is not on every machine, so its types are not known where this is checked.
# pyright: reportInvalidTypeForm=false, reportUnknownParameterType=false

import numpy as np
import torch
from torch import Tensor

from selfsent.kernels.triton_cells import channel_blocks, load_weight, multiply
from selfsent.kernels.triton_language import tl, triton
from selfsent.trees.arrays import IntArray, TreeBatch, node_offsets

_SCAN = 256


def induce(
    leaves: Tensor, num_tokens: IntArray, weight: Tensor, bias: Tensor, noise: Tensor | None
) -> tuple[TreeBatch, Tensor]:
    """Find the trees of a batch and all upward embeddings; arguments and result are `induction.induce`'s."""
    device = leaves.device
    offsets, leaf_offsets = node_offsets(num_tokens), np.cumsum(num_tokens) - num_tokens
    num_merges = np.maximum(num_tokens - 1, 0)
    merge_offsets = np.cumsum(num_merges) - num_merges
    positions = np.arange(len(leaves)) - np.repeat(leaf_offsets, num_tokens)
    up = torch.empty(int(offsets[-1]), leaves.shape[1], device=device)
    up[torch.from_numpy(positions + np.repeat(offsets[:-1], num_tokens)).to(device)] = leaves.detach().float()
    slots = torch.from_numpy(positions).to(device)
    children = torch.empty(2, int(num_merges.sum()), dtype=torch.int64, device=device)
    if children.numel():
        starts = (num_tokens, offsets[:-1], leaf_offsets, merge_offsets)
        given = (weight.detach(), bias.detach(), up if noise is None else noise.detach())
        with torch.cuda.device_of(up):
            _induce[(len(num_tokens),)](
                *(torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in starts),
                up,
                *(tensor.float().contiguous() for tensor in given),
                *children,
                *(slots + 1, slots - 1, slots.clone()),
                torch.full(slots.shape, -torch.inf, device=device),
                up.new_empty(len(up)),
                padded_dimension=triton.next_power_of_2(up.shape[1]),
                scan=_SCAN,
                has_noise=noise is not None,
                **channel_blocks(up.shape[1], len(bias)),
            )
    left, right = children.cpu().numpy()
    return TreeBatch(num_tokens, left, right), up.to(leaves.dtype)


@triton.jit
def _norm(values: tl.tensor) -> tl.tensor:
    return tl.maximum(tl.sqrt(tl.sum(values * values, axis=0)), 1e-8)


@triton.jit
def _best_slot(similarity: tl.tensor, num_tokens: tl.tensor, scan: tl.constexpr) -> tl.tensor:
    """The first of the most similar pairs; NaN is never chosen."""
    best = tl.full([], float("-inf"), tl.float32)
    slot = tl.full([], 0, tl.int64)
    for start in range(0, num_tokens, scan):
        place = start + tl.arange(0, scan)
        found = tl.load(similarity + place, mask=place < num_tokens, other=float("-inf"))
        found = tl.where(found == found, found, float("-inf"))  # noqa: PLR0124 NaN differs from itself
        largest = tl.max(found, axis=0)
        slot = tl.where(largest > best, (start + tl.argmax(found, axis=0)).to(tl.int64), slot)
        best = tl.maximum(best, largest)
    return slot


@triton.jit
def _compose_parent(
    left: tl.tensor,
    right: tl.tensor,
    parent: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    noise: tl.tensor,
    channels: tl.constexpr,
    size: tl.constexpr,
    channels_a_block: tl.constexpr,
    padded: tl.constexpr,
    num_blocks: tl.constexpr,
    has_noise: tl.constexpr,
) -> None:
    """Fill in one row from two others, a group of channels after another."""
    value = tl.arange(0, padded)
    of_left = load_weight(weight, 2 * size, size, padded)
    of_right = load_weight(weight + size, 2 * size, size, padded)
    biases = tl.load(bias + value, mask=value < size, other=0.0)
    for block in range(num_blocks):
        channel = block * channels_a_block + tl.arange(0, channels_a_block)
        inside = (channel < channels)[:, None] & (value < size)[None, :]
        place = channel[:, None] * size + value[None, :]
        one, other = tl.load(left + place, mask=inside, other=0.0), tl.load(right + place, mask=inside, other=0.0)
        values = multiply(one, of_left) + multiply(other, of_right) + biases[None, :]
        if has_noise:
            values *= tl.load(noise + place, mask=inside, other=0.0)
        tl.store(parent + place, values, mask=inside)


@triton.jit
def _compare_leaves(
    up: tl.tensor,
    norms: tl.tensor,
    similarity: tl.tensor,
    num_tokens: tl.tensor,
    width: tl.constexpr,
    padded_dimension: tl.constexpr,
) -> None:
    """Fill in the norms of a sentence's leaves and the similarity of each to the next."""
    value = tl.arange(0, padded_dimension)
    last = tl.zeros([padded_dimension], tl.float32)
    last_norm = tl.full([], 1.0, tl.float32)
    for token in range(num_tokens):
        values = tl.load(up + token * width + value, mask=value < width, other=0.0)
        norm = _norm(values)
        tl.store(norms + token, norm)
        tl.store(similarity + token - 1, tl.sum(last * values, axis=0) / (last_norm * norm), mask=token > 0)
        last, last_norm = values, norm


@triton.jit
def _induce(
    token_counts: tl.tensor,
    node_offsets: tl.tensor,
    leaf_offsets: tl.tensor,
    merge_offsets: tl.tensor,
    up: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    noise: tl.tensor,
    lefts: tl.tensor,
    rights: tl.tensor,
    following: tl.tensor,
    preceding: tl.tensor,
    nodes: tl.tensor,
    similarity: tl.tensor,
    norms: tl.tensor,
    channels: tl.constexpr,
    size: tl.constexpr,
    channels_a_block: tl.constexpr,
    padded: tl.constexpr,
    num_blocks: tl.constexpr,
    padded_dimension: tl.constexpr,
    scan: tl.constexpr,
    has_noise: tl.constexpr,
) -> None:
    sentence = tl.program_id(0)
    num_tokens = tl.load(token_counts + sentence)
    first = tl.load(node_offsets + sentence)
    leaf = tl.load(leaf_offsets + sentence)
    first_merge = tl.load(merge_offsets + sentence)
    width: tl.constexpr = channels * size
    value = tl.arange(0, padded_dimension)
    inside = value < width
    up, norms, similarity = up + first * width, norms + first, similarity + leaf
    following, preceding, nodes = following + leaf, preceding + leaf, nodes + leaf
    _compare_leaves(up, norms, similarity, num_tokens, width, padded_dimension)
    tl.debug_barrier()
    for merge in range(num_tokens - 1):
        slot = _best_slot(similarity, num_tokens, scan)
        gone = tl.load(following + slot)
        after, before = tl.load(following + gone), tl.load(preceding + slot)
        has_after, has_before = after < num_tokens, before >= 0
        left, right = tl.load(nodes + slot), tl.load(nodes + gone)
        next_node = tl.load(nodes + after, mask=has_after, other=0)
        previous_node = tl.load(nodes + before, mask=has_before, other=0)
        parent = num_tokens + merge
        _compose_parent(
            up + left * width,
            up + right * width,
            up + parent * width,
            weight,
            bias,
            noise + (first_merge + merge) * width,
            channels,
            size,
            channels_a_block,
            padded,
            num_blocks,
            has_noise,
        )
        tl.debug_barrier()  # all threads have read the frontier, and may read the parent
        own = tl.load(up + parent * width + value, mask=inside, other=0.0)
        norm = _norm(own)
        following_values = tl.load(up + next_node * width + value, mask=inside, other=0.0)
        preceding_values = tl.load(up + previous_node * width + value, mask=inside, other=0.0)
        with_next = tl.sum(own * following_values, axis=0) / (norm * tl.load(norms + next_node))
        with_previous = tl.sum(preceding_values * own, axis=0) / (tl.load(norms + previous_node) * norm)
        tl.store(lefts + first_merge + merge, first + left)
        tl.store(rights + first_merge + merge, first + right)
        tl.store(norms + parent, norm)
        tl.store(nodes + slot, parent)
        tl.store(following + slot, after)
        tl.store(preceding + after, slot, mask=has_after)
        tl.store(similarity + gone, float("-inf"))
        tl.store(similarity + slot, tl.where(has_after, with_next, float("-inf")))
        tl.store(similarity + before, with_previous, mask=has_before)
        tl.debug_barrier()
