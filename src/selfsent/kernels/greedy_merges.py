"""The compiled loops of greedy induction, over arrays, without torch.

Each sentence alone: the most similar adjacent pair is merged until one node is left, and a merge changes only two
similarities. `selfsent.kernels.induction` calls them for tensors, `selfsent.runtime` for models opened without torch.
"""

from typing import Any

import numpy as np

from selfsent.compiler import compiled
from selfsent.kernels.small_products import FloatArray, add_products
from selfsent.kernels.threaded_ranges import over_ranges
from selfsent.trees.tree import IntArray, node_offsets

_SMALLEST_NORM = 1e-8
_LOOKED_AT = 64
"""Tokens of a sentence up to which looking at all pairs is faster than a tournament (measured)."""


def merge_greedily(
    leaves: FloatArray, num_tokens: IntArray, weight_t: FloatArray, bias: FloatArray, noise: FloatArray | None = None
) -> tuple[IntArray, IntArray, FloatArray]:
    """Merge the sentences of a batch under an affine composition, in parallel over sentences.

    Args:
        leaves: Leaf embeddings of all sentences, one after another, ``(L, D)``.
        num_tokens: Leaves of each sentence, ``(B,)``.
        weight_t: Transposed composition weight, ``(2U, W)``, widened (`selfsent.kernels.small_products.widened`).
        bias: Composition bias, ``(W,)``, widened.
        noise: Factors on each composed embedding (dropout), in merge order; ``None`` for none.

    Returns:
        Left and right child of each merge (global ids, as in `selfsent.trees.arrays.TreeBatch`), and the upward
        embedding of every node, ``(N, D)``.
    """
    factors = np.ones((0, 0), np.float32) if noise is None else noise
    offsets = node_offsets(num_tokens)
    num_merges = np.maximum(num_tokens - 1, 0)
    up = np.empty((int(offsets[-1]), leaves.shape[1]), dtype=np.float32)
    left = np.empty(int(num_merges.sum()), dtype=np.int64)
    right = np.empty_like(left)
    leaf_offsets, merge_offsets = np.cumsum(num_tokens) - num_tokens, np.cumsum(num_merges) - num_merges
    places = num_tokens, offsets[:-1], leaf_offsets, merge_offsets
    arrays = leaves, weight_t, bias, factors, up, left, right
    over_ranges(lambda first, end: _induce_batch(first, end, *places, *arrays), len(num_tokens), num_values=up.size)
    return left, right, up


def has_run() -> bool:
    """Tell whether the loops were compiled, or read from disk, in this process: a first call may take ten seconds."""
    return bool(getattr(_induce_batch, "signatures", True))


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
    """Play every match; of equals the left one wins, and NaN never wins."""
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


@compiled()
def _induce_batch(
    first_sentence: int,
    end: int,
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
    for s in range(first_sentence, end):
        n, first = num_tokens[s], offsets[s]
        if n > 0:
            up[first : first + n] = leaves[leaf_offsets[s] : leaf_offsets[s] + n]
            merges = slice(merge_offsets[s], merge_offsets[s] + n - 1)
            factors = noise[merges] if noise.shape[0] > 0 else noise
            _induce_sentence(
                up[first : first + 2 * n - 1], n, first, weight_t, bias, factors, left[merges], right[merges]
            )
