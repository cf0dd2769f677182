"""Induction by a chart: the best trees of every span from the best trees of its parts, as in CKY parsing.

The score of a tree is the total similarity of its merges: the sum of the cosines of the pairs they join. A cell of the
chart keeps the ``beam_size`` best trees of its span. Unlike a grammar's, a tree's embedding is not that of another tree
over the same span, so a chart is exact only where its cells hold all trees of their spans; with one tree a cell it is
the usual approximation. A sentence of n tokens costs ``n^3 / 6 * beam_size^2`` cosines, so a longer one is first merged
greedily until 64 nodes are left: time stays that of greedy induction, and memory bounded.
Source: left open by StrAE (Opper et al., EMNLP 2023): better induction than greedy merging.
"""

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from selfsent.compiler import compiled
from selfsent.kernels.greedy_merges import _compose, _cosine, _induce_sentence, _norm, _room
from selfsent.kernels.induction import compiled_inputs
from selfsent.kernels.small_products import FloatArray
from selfsent.kernels.threaded_ranges import over_ranges
from selfsent.trees.arrays import IntArray, TreeBatch, node_offsets

MAX_CHART_NODES = 64


def induce_by_chart(
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
        beam_size: Trees kept of every span, at least 1.
    """
    rows, weight_t, biases = compiled_inputs(leaves, weight, bias)
    num_merges = np.maximum(num_tokens - 1, 0)
    left = np.empty(int(num_merges.sum()), dtype=np.int64)
    right = np.empty_like(left)
    starts = (node_offsets(num_tokens)[:-1], np.cumsum(num_tokens) - num_tokens, np.cumsum(num_merges) - num_merges)
    arguments = (num_tokens, *starts, rows, weight_t, biases, beam_size, left, right)
    over_ranges(lambda first, end: _chart_batch(first, end, *arguments), len(num_tokens))
    return TreeBatch(num_tokens, left, right)


@compiled()
def _best_of_span(
    n: int,
    start: int,
    end: int,
    values: NDArray[np.float32],
    norm: NDArray[np.float32],
    score: NDArray[np.float64],
    num_kept: IntArray,
    parts: IntArray,
) -> None:
    """Fill the cell of one span: scores, and the split and the two parts' trees of each tree kept, best first."""
    cell, size = start * n + end - 1, score.shape[1]
    count = 0
    for split in range(start + 1, end):
        before, after = start * n + split - 1, split * n + end - 1
        for i in range(num_kept[before]):
            for j in range(num_kept[after]):
                similarity = _cosine(values[before, i], values[after, j], norm[before, i], norm[after, j])
                total = score[before, i] + score[after, j] + similarity
                if count == size and not total > score[cell, size - 1]:
                    continue
                place = min(count, size - 1)
                while place > 0 and not score[cell, place - 1] >= total:
                    score[cell, place], parts[cell, place] = score[cell, place - 1], parts[cell, place - 1]
                    place -= 1
                score[cell, place] = total
                parts[cell, place, 0], parts[cell, place, 1], parts[cell, place, 2] = split, i, j
                count = min(count + 1, size)
    num_kept[cell] = count


@compiled()
def _chart_sentence(
    rows: FloatArray,
    names: IntArray,
    next_name: int,
    weight_t: FloatArray,
    bias: FloatArray,
    beam_size: int,
    left: IntArray,
    right: IntArray,
) -> None:
    """Merge one sentence of two nodes or more, called ``names``; the nodes made are called ``next_name`` and on."""
    n = len(rows)
    values = np.empty((n * n, beam_size, rows.shape[1]), dtype=np.float32)
    norm = np.empty((n * n, beam_size), dtype=np.float32)
    sums = _room(rows.shape[1], weight_t)
    score = np.zeros((n * n, beam_size), dtype=np.float64)
    num_kept = np.zeros(n * n, dtype=np.int64)
    parts = np.zeros((n * n, beam_size, 3), dtype=np.int64)
    for i in range(n):
        values[i * n + i, 0], norm[i * n + i, 0], num_kept[i * n + i] = rows[i], _norm(rows[i]), 1
    for width in range(2, n + 1):
        for start in range(n - width + 1):
            end = start + width
            cell = start * n + end - 1
            _best_of_span(n, start, end, values, norm, score, num_kept, parts)
            for k in range(num_kept[cell]):
                split, i, j = parts[cell, k, 0], parts[cell, k, 1], parts[cell, k, 2]
                before, after = values[start * n + split - 1, i], values[split * n + end - 1, j]
                _compose(before, after, weight_t, bias, values[cell, k], sums)
                norm[cell, k] = _norm(values[cell, k])
    _read_best_tree(n, parts, names, next_name, left, right)


@compiled()
def _read_best_tree(n: int, parts: IntArray, names: IntArray, next_name: int, left: IntArray, right: IntArray) -> None:
    """Write the merges of the best tree of the whole, children before parents, without recursion."""
    todo = np.zeros((2 * n, 4), dtype=np.int64)  # start, end, which tree of the span, whether its parts are done
    done = np.zeros(n, dtype=np.int64)
    todo[0, 1] = n
    num_todo, num_done, num_merges = 1, 0, 0
    while num_todo:
        num_todo -= 1
        start, end, k, are_parts_done = todo[num_todo]
        if end - start == 1:
            done[num_done] = names[start]
            num_done += 1
        elif are_parts_done:
            num_done -= 1
            left[num_merges], right[num_merges] = done[num_done - 1], done[num_done]
            done[num_done - 1] = next_name + num_merges
            num_merges += 1
        else:
            split, i, j = parts[start * n + end - 1, k]
            for entry in ((start, end, k, 1), (split, end, j, 0), (start, split, i, 0)):
                todo[num_todo, 0], todo[num_todo, 1], todo[num_todo, 2], todo[num_todo, 3] = entry
                num_todo += 1


@compiled()
def _merge_until_it_fits(
    rows: FloatArray, offset: int, weight_t: FloatArray, bias: FloatArray, left: IntArray, right: IntArray
) -> tuple[FloatArray, IntArray]:
    """Merge greedily until ``MAX_CHART_NODES`` nodes are left; give their embeddings and names, in order."""
    n = len(rows)
    num_merges = n - MAX_CHART_NODES
    up = np.empty((2 * n - 1, rows.shape[1]), dtype=np.float32)
    up[:n] = rows
    _induce_sentence(up, n, offset, weight_t, bias, np.empty((0, 0), dtype=np.float32), left, right)
    holder = np.full(n, -1)  # the topmost node that begins at each token
    for i in range(n):
        holder[i] = i
    start = np.arange(2 * n - 1)
    for merge in range(num_merges):
        start[n + merge] = start[left[merge] - offset]
        holder[start[n + merge]] = n + merge
        holder[start[right[merge] - offset]] = -1
    names = holder[holder >= 0]
    return up[names], names + offset


@compiled()
def _chart_batch(
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
        n, offset = num_tokens[s], offsets[s]
        if n > 1:
            rows = leaves[leaf_offsets[s] : leaf_offsets[s] + n]
            lefts = left[merge_offsets[s] : merge_offsets[s] + n - 1]
            rights = right[merge_offsets[s] : merge_offsets[s] + n - 1]
            names = offset + np.arange(n)
            done = max(n - MAX_CHART_NODES, 0)
            if done:
                rows, names = _merge_until_it_fits(rows, offset, weight_t, bias, lefts, rights)
            _chart_sentence(rows, names, offset + n + done, weight_t, bias, beam_size, lefts[done:], rights[done:])
