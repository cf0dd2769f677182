"""Self-StrAE's greedy induction: merge the most similar adjacent pair until one node is left.

Source: Opper et al., EMNLP 2023 (Self-StrAE). The paper names no rule for ties: the first best pair is taken here.
No gradient passes through the choice, so the trees of a batch can be found first, each sentence alone, by a compiled
loop in which a merge changes only two similarities. ``induce_reference`` is the plain form it is tested against.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfsent.compiler import compiled, is_compiled, prange
from selfsent.kernels.induction_reference import affine, induce_reference
from selfsent.kernels.small_products import FloatArray, add_products, widened
from selfsent.kernels.triton_choice import uses_triton
from selfsent.trees.arrays import IntArray, TreeBatch, node_offsets

_SMALLEST_NORM = 1e-8
_LOOKED_AT = 64
"""Tokens of a sentence up to which looking at all pairs is faster than a tournament (measured)."""


def induce(
    leaves: Float[Tensor, "L D"],
    num_tokens: IntArray,
    weight: Float[Tensor, "U U2"],
    bias: Float[Tensor, " U"],
    noise: Float[Tensor, "I D"] | None = None,
) -> tuple[TreeBatch, Float[Tensor, "N D"]]:
    """Find all trees of a batch under an affine composition, in parallel over sentences, without gradient.

    A GPU's leaves are merged there where Triton's kernels serve, others on the CPU; without numba by the plain form.

    Args:
        leaves: Leaf embeddings of all sentences, one after another; ``D`` is channels times channel size.
        num_tokens: Leaves of each sentence, ``(B,)``.
        weight: Composition weight, ``(U, 2U)`` as ``torch.nn.Linear`` keeps it.
        bias: Composition bias.
        noise: Factors on each composed embedding (dropout), in merge order; ``None`` for none.

    Returns:
        The trees, and the upward embedding of every node.
    """
    if uses_triton(leaves, channel_size=len(bias)):
        from selfsent.kernels import triton_induction  # noqa: PLC0415 it imports triton

        return triton_induction.induce(leaves, num_tokens, weight, bias, noise)
    if not is_compiled:
        return _induce_plainly(leaves, num_tokens, weight, bias, noise)
    rows, weight_t, biases = compiled_inputs(leaves, weight, bias)
    factors = np.ones((0, 0), np.float32) if noise is None else noise.float().cpu().contiguous().numpy()
    offsets = node_offsets(num_tokens)
    num_merges = np.maximum(num_tokens - 1, 0)
    up = np.empty((int(offsets[-1]), leaves.shape[1]), dtype=np.float32)
    left = np.empty(int(num_merges.sum()), dtype=np.int64)
    right = np.empty_like(left)
    leaf_offsets, merge_offsets = np.cumsum(num_tokens) - num_tokens, np.cumsum(num_merges) - num_merges
    _induce_batch(
        num_tokens, offsets[:-1], leaf_offsets, merge_offsets, rows, weight_t, biases, factors, up, left, right
    )
    return TreeBatch(num_tokens, left, right), torch.from_numpy(up).to(leaves)


def compiled_inputs(
    leaves: Float[Tensor, "L D"], weight: Float[Tensor, "U U2"], bias: Float[Tensor, " U"]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Give compiled loops what they read: leaves, and the transposed weight and the bias, both widened."""
    rows, weight_t, biases = (tensor.detach().float().cpu().contiguous().numpy() for tensor in (leaves, weight.T, bias))
    return rows, widened(weight_t), widened(biases)


@torch.no_grad()
def _induce_plainly(
    leaves: Tensor, num_tokens: IntArray, weight: Tensor, bias: Tensor, noise: Tensor | None
) -> tuple[TreeBatch, Tensor]:
    """Find trees by the plain form in float32, as the compiled one does."""
    if not num_tokens.any():
        return TreeBatch(num_tokens, *np.empty((2, 0), dtype=np.int64)), leaves.detach()
    composition = affine(*(side.detach().float().cpu() for side in (weight, bias)))
    factors = None if noise is None else noise.float().cpu()
    trees, up = induce_reference(leaves.detach().float().cpu(), num_tokens, composition, factors)
    return trees, up.to(leaves)


@compiled()
def _cosine(a: FloatArray, b: FloatArray, norm_a: Any, norm_b: Any) -> Any:
    dot = np.float32(0.0)
    for d in range(a.shape[0]):
        dot += a[d] * b[d]
    return dot / (norm_a * norm_b)


@compiled()
def _norm(a: FloatArray) -> Any:
    square = np.float32(0.0)
    for d in range(a.shape[0]):
        square += a[d] * a[d]
    return max(np.sqrt(square), np.float32(_SMALLEST_NORM))


@compiled()
def _compose(
    left: FloatArray, right: FloatArray, weight_t: FloatArray, bias: FloatArray, out: FloatArray, sums: FloatArray
) -> None:
    """Apply the affine composition to each channel: ``out = [left right] W^T + b``.

    Args:
        left: Left child, ``(D,)``.
        right: Right child.
        weight_t: Transposed weight, ``(2U, W)``, widened.
        bias: ``(W,)``, widened.
        out: The parent, ``(D,)``.
        sums: Room for the widened parent, a row a channel.
    """
    size = weight_t.shape[0] // 2
    for channel in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            sums[channel, j] = bias[j]
    add_products(left, 0, size, 1, weight_t, 0, size, sums)
    add_products(right, 0, size, 1, weight_t, size, size, sums)
    for channel in range(sums.shape[0]):
        for j in range(size):
            out[channel * size + j] = sums[channel, j]


@compiled()
def _room(dimension: int, weight_t: FloatArray) -> FloatArray:
    """Make room for `_compose`."""
    return np.empty((2 * dimension // weight_t.shape[0], weight_t.shape[1]), dtype=np.float32)


@compiled()
def _induce_sentence(
    up: FloatArray,
    num_tokens: int,
    offset: int,
    weight_t: FloatArray,
    bias: FloatArray,
    noise: FloatArray,
    left: IntArray,
    right: IntArray,
) -> None:
    """Merge one sentence, whose leaves are the first rows of ``up``; fill its other rows and the merges."""
    norm = np.empty(2 * num_tokens - 1, dtype=np.float32)
    sums = _room(up.shape[1], weight_t)
    following = np.arange(1, num_tokens + 1)  # frontier as a linked list of slots; a merge keeps the left slot
    preceding = np.arange(-1, num_tokens - 1)
    node = np.arange(num_tokens)
    for i in range(num_tokens):
        norm[i] = _norm(up[i])
    similarity, winner = _tournament(num_tokens)
    for i in range(num_tokens - 1):
        similarity[i] = _cosine(up[i], up[i + 1], norm[i], norm[i + 1])
    _play_all(similarity, winner)
    for merge in range(num_tokens - 1):
        slot = winner[1] if len(winner) else _first_best(similarity, following, num_tokens)
        gone = following[slot]
        parent = num_tokens + merge
        left[merge], right[merge] = node[slot] + offset, node[gone] + offset
        _compose(up[node[slot]], up[node[gone]], weight_t, bias, up[parent], sums)
        if noise.shape[0] > 0:
            for d in range(up.shape[1]):
                up[parent, d] *= noise[merge, d]
        norm[parent] = _norm(up[parent])
        node[slot] = parent
        following[slot] = following[gone]
        changed = np.float32(-np.inf)  # what has no right neighbour is never chosen
        if following[slot] < num_tokens:
            after = following[slot]
            preceding[after] = slot
            changed = _cosine(up[parent], up[node[after]], norm[parent], norm[node[after]])
        _play(similarity, winner, gone, np.float32(-np.inf))
        _play(similarity, winner, slot, changed)
        if preceding[slot] >= 0:
            before = preceding[slot]
            _play(similarity, winner, before, _cosine(up[node[before]], up[parent], norm[node[before]], norm[parent]))


@compiled()
def _tournament(num_slots: int) -> tuple[FloatArray, IntArray]:
    """Make room for a tournament among slots: their similarities, and the winner of every match, ``winner[1]`` of all.

    A merge changes three similarities. Playing only their matches again makes a sentence of n tokens cost n log n,
    where looking at all pairs for the best costs n squared, which is faster for short ones: those have no winners.
    """
    if num_slots <= _LOOKED_AT:
        return np.full(num_slots, -np.inf, dtype=np.float32), np.zeros(0, dtype=np.int64)
    size = 1
    while size < num_slots:
        size *= 2
    similarity = np.full(size, -np.inf, dtype=np.float32)
    winner = np.zeros(2 * size, dtype=np.int64)
    winner[size:] = np.arange(size)
    return similarity, winner


@compiled()
def _first_best(similarity: FloatArray, following: IntArray, num_tokens: int) -> int:
    """Look at every slot that has a right neighbour for the one of the highest similarity, the first of equals."""
    best, slot = np.float32(-np.inf), 0
    i = 0
    while following[i] < num_tokens:
        if similarity[i] > best:
            best, slot = similarity[i], i
        i = following[i]
    return slot


@compiled()
def _play_all(similarity: FloatArray, winner: IntArray) -> None:
    """Play every match; of equals the left one wins, and what is no number never wins."""
    for slot in range(len(similarity)):
        if np.isnan(similarity[slot]):
            similarity[slot] = -np.inf
    for match in range(len(winner) // 2 - 1, 0, -1):
        one, other = winner[2 * match], winner[2 * match + 1]
        winner[match] = other if similarity[other] > similarity[one] else one


@compiled()
def _play(similarity: FloatArray, winner: IntArray, slot: int, value: Any) -> None:
    """Change the similarity of a slot and play its matches again."""
    similarity[slot] = -np.inf if np.isnan(value) else value
    match = (len(winner) // 2 + slot) // 2
    while match >= 1 and len(winner):
        one, other = winner[2 * match], winner[2 * match + 1]
        winner[match] = other if similarity[other] > similarity[one] else one
        match //= 2


@compiled(parallel=True)
def _induce_batch(
    num_tokens: IntArray,
    offsets: IntArray,
    leaf_offsets: IntArray,
    merge_offsets: IntArray,
    leaves: FloatArray,
    weight_t: FloatArray,
    bias: FloatArray,
    noise: FloatArray,
    up: FloatArray,
    left: IntArray,
    right: IntArray,
) -> None:
    for s in prange(len(num_tokens)):
        n, first = num_tokens[s], offsets[s]
        if n > 0:
            up[first : first + n] = leaves[leaf_offsets[s] : leaf_offsets[s] + n]
            merges = slice(merge_offsets[s], merge_offsets[s] + n - 1)
            factors = noise[merges] if noise.shape[0] > 0 else noise
            _induce_sentence(
                up[first : first + 2 * n - 1], n, first, weight_t, bias, factors, left[merges], right[merges]
            )
