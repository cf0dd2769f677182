"""Induction by a beam: of the partly merged sentences with the greatest total similarity, some are kept at every step.

Greedy induction takes the most similar pair and never looks back. Here a state is a sentence after some merges, its
score the sum of the cosines of the pairs it merged, and the best ``beam_size`` different states go on; states that
merged the same pairs in another order are one. A beam of one is greedy induction, and a beam that holds all states
finds the tree of greatest total similarity. A sentence of n tokens costs ``beam_size`` times the merges of greedy
induction, and copies of ``beam_size`` states at each of its n steps.
Source: left open by StrAE (Opper et al., EMNLP 2023): better induction than greedy merging.
"""

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from selfsent.compiler import compiled
from selfsent.kernels.greedy_merges import _compose, _cosine, _norm, _room
from selfsent.kernels.induction import compiled_inputs
from selfsent.kernels.small_products import FloatArray
from selfsent.kernels.threaded_ranges import over_ranges
from selfsent.trees.arrays import IntArray, TreeBatch, node_offsets

_MIX_LEFT, _MIX_RIGHT = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


def induce_by_beam(
    leaves: Float[Tensor, "L D"],
    num_tokens: IntArray,
    weight: Float[Tensor, "U U2"],
    bias: Float[Tensor, " U"],
    *,
    beam_size: int,
) -> TreeBatch:
    """Find all trees of a batch under an affine composition, in parallel over sentences, without gradient.

    Args:
        leaves: Leaf embeddings of all sentences, one after another.
        num_tokens: Leaves of each sentence, ``(B,)``.
        weight: Composition weight, ``(U, 2U)`` as ``torch.nn.Linear`` keeps it.
        bias: Composition bias.
        beam_size: States kept at every step, at least 1.
    """
    rows, weight_t, biases = compiled_inputs(leaves, weight, bias)
    num_merges = np.maximum(num_tokens - 1, 0)
    left = np.empty(int(num_merges.sum()), dtype=np.int64)
    right = np.empty_like(left)
    starts = (node_offsets(num_tokens)[:-1], np.cumsum(num_tokens) - num_tokens, np.cumsum(num_merges) - num_merges)
    arguments = (num_tokens, *starts, rows, weight_t, biases, beam_size, left, right)
    over_ranges(lambda first, end: _beam_batch(first, end, *arguments), len(num_tokens))
    return TreeBatch(num_tokens, left, right)


@compiled()
def _mixed(left: Any, right: Any) -> Any:
    """A 64-bit hash of a node from those of its children, in their order."""
    mixed = (left + _MIX_LEFT) * _MIX_RIGHT ^ (right * _MIX_LEFT + _MIX_RIGHT)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * _MIX_LEFT
    return mixed ^ (mixed >> np.uint64(32))


@compiled()
def _best_merges(
    num_states: int,
    num_pairs: int,
    similarity: FloatArray,
    frontier: IntArray,
    node_hash: NDArray[np.uint64],
    state_hash: NDArray[np.uint64],
    score: NDArray[np.float64],
    chosen_score: NDArray[np.float64],
    chosen_hash: NDArray[np.uint64],
    chosen: IntArray,
) -> int:
    """Choose the states of the next step, best first: ``chosen`` gets the state each comes from and the pair it merges.

    Returns:
        How many there are.
    """
    num_chosen = 0
    for s in range(num_states):
        for p in range(num_pairs):
            total = score[s] + similarity[s, p]
            if num_chosen == len(chosen) and not total > chosen_score[num_chosen - 1]:
                continue
            key = state_hash[s] + _mixed(node_hash[frontier[s, p]], node_hash[frontier[s, p + 1]])
            is_known = False
            for c in range(num_chosen):
                is_known |= chosen_hash[c] == key
            if is_known:
                continue
            place = min(num_chosen, len(chosen) - 1)
            while place > 0 and not chosen_score[place - 1] >= total:
                chosen_score[place], chosen_hash[place] = chosen_score[place - 1], chosen_hash[place - 1]
                chosen[place, 0], chosen[place, 1] = chosen[place - 1, 0], chosen[place - 1, 1]
                place -= 1
            chosen_score[place], chosen_hash[place] = total, key
            chosen[place, 0], chosen[place, 1] = s, p
            num_chosen = min(num_chosen + 1, len(chosen))
    return num_chosen


@compiled()
def _beam_sentence(
    leaves: FloatArray,
    offset: int,
    weight_t: FloatArray,
    bias: FloatArray,
    beam_size: int,
    left: IntArray,
    right: IntArray,
) -> None:
    """Merge one sentence of two tokens or more."""
    n = len(leaves)
    num_nodes = n + beam_size * (n - 1)
    values = np.empty((num_nodes, leaves.shape[1]), dtype=np.float32)
    norm = np.empty(num_nodes, dtype=np.float32)
    sums = _room(leaves.shape[1], weight_t)
    node_hash = np.empty(num_nodes, dtype=np.uint64)
    for i in range(n):
        for d in range(leaves.shape[1]):
            values[i, d] = leaves[i, d]
        norm[i], node_hash[i] = _norm(values[i]), _mixed(np.uint64(i + 1), np.uint64(0))
    frontier, next_frontier = np.zeros((beam_size, n), dtype=np.int64), np.zeros((beam_size, n), dtype=np.int64)
    similarity = np.zeros((beam_size, n), dtype=np.float32)
    next_similarity = np.zeros((beam_size, n), dtype=np.float32)
    score, next_score = np.zeros(beam_size, dtype=np.float64), np.zeros(beam_size, dtype=np.float64)
    state_hash, next_hash = np.zeros(beam_size, dtype=np.uint64), np.zeros(beam_size, dtype=np.uint64)
    chosen = np.zeros((beam_size, 2), dtype=np.int64)
    came_from = np.zeros((n - 1, beam_size), dtype=np.int64)
    children = np.zeros((n - 1, beam_size, 2), dtype=np.int64)
    for i in range(n):
        frontier[0, i] = i
        if i + 1 < n:
            similarity[0, i] = _cosine(values[i], values[i + 1], norm[i], norm[i + 1])
    num_states = 1
    for step in range(n - 1):
        width = n - step
        num_chosen = _best_merges(
            num_states, width - 1, similarity, frontier, node_hash, state_hash, score, next_score, next_hash, chosen
        )
        for c in range(num_chosen):
            s, p = chosen[c, 0], chosen[c, 1]
            parent = n + step * beam_size + c
            one, other = frontier[s, p], frontier[s, p + 1]
            came_from[step, c] = s
            children[step, c, 0], children[step, c, 1] = one, other
            _compose(values[one], values[other], weight_t, bias, values[parent], sums)
            norm[parent], node_hash[parent] = _norm(values[parent]), _mixed(node_hash[one], node_hash[other])
            for i in range(width - 1):
                next_frontier[c, i] = parent if i == p else frontier[s, i + (i > p)]
                next_similarity[c, i] = similarity[s, i + (i > p)]
            for pair in range(max(p - 1, 0), min(p + 1, width - 2)):
                a, b = next_frontier[c, pair], next_frontier[c, pair + 1]
                next_similarity[c, pair] = _cosine(values[a], values[b], norm[a], norm[b])
        frontier, next_frontier = next_frontier, frontier
        similarity, next_similarity = next_similarity, similarity
        score, next_score = next_score, score
        state_hash, next_hash = next_hash, state_hash
        num_states = num_chosen
    local = np.arange(num_nodes)
    path = np.zeros(n - 1, dtype=np.int64)  # the state at each step that led to the best state of the last
    for step in range(n - 2, 0, -1):
        path[step - 1] = came_from[step, path[step]]
    for step in range(n - 1):
        local[n + step * beam_size + path[step]] = n + step
        left[step] = local[children[step, path[step], 0]] + offset
        right[step] = local[children[step, path[step], 1]] + offset


@compiled()
def _beam_batch(
    first: int,
    end: int,
    num_tokens: IntArray,
    offsets: IntArray,
    leaf_offsets: IntArray,
    merge_offsets: IntArray,
    leaves: FloatArray,
    weight_t: FloatArray,
    bias: FloatArray,
    beam_size: int,
    left: IntArray,
    right: IntArray,
) -> None:
    for s in range(first, end):
        n = num_tokens[s]
        if n > 1:
            rows = leaves[leaf_offsets[s] : leaf_offsets[s] + n]
            merges = slice(merge_offsets[s], merge_offsets[s] + n - 1)
            _beam_sentence(rows, offsets[s], weight_t, bias, beam_size, left[merges], right[merges])
