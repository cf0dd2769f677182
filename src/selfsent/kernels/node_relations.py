"""How nodes of trees relate: which of them span the same tokens, and how many edges lie between two of one tree."""

import numpy as np
from numpy.typing import NDArray

from selfsent.compiler import compiled
from selfsent.trees.tree import IntArray

_BASE, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


@compiled()
def hash_spans(
    token_ids: IntArray, num_tokens: IntArray, left: IntArray, right: IntArray, hashes: NDArray[np.uint64]
) -> None:
    """Fill in a 64-bit hash of the tokens that each node spans: equal for equal sequences, whatever the tree over them.

    Args:
        token_ids: Tokens of all sentences, one after another.
        num_tokens: Tokens of each sentence.
        left: Global id of each merge's left child.
        right: The same for the right child.
        hashes: One a node.
    """
    power = np.empty(len(hashes), dtype=np.uint64)  # the base to the power of the length of each node's span
    first_node = first_token = first_merge = 0
    for s in range(len(num_tokens)):
        n = num_tokens[s]
        for i in range(n):
            mixed = (np.uint64(token_ids[first_token + i]) + np.uint64(1)) * _MIX
            mixed = (mixed ^ (mixed >> np.uint64(29))) * _BASE
            hashes[first_node + i], power[first_node + i] = mixed ^ (mixed >> np.uint64(32)), _BASE
        for k in range(n - 1):
            one, other = left[first_merge + k], right[first_merge + k]
            hashes[first_node + n + k] = hashes[one] * power[other] + hashes[other]
            power[first_node + n + k] = power[one] * power[other]
        first_node += max(2 * n - 1, 0)
        first_token += n
        first_merge += max(n - 1, 0)


@compiled()
def measure_distances(
    num_tokens: IntArray,
    left: IntArray,
    right: IntArray,
    rows: IntArray,
    columns: IntArray,
    distances: NDArray[np.int32],
) -> None:
    """Fill in the pairs of nodes of each tree, ordered by the first, and the edges on the path between them.

    Args:
        num_tokens: Tokens of each sentence.
        left: Global id of each merge's left child.
        right: The same for the right child.
        rows: Global id of the first node of each pair, ``sum((2 * tokens - 1)^2)`` of them.
        columns: The same for the second node.
        distances: Edges between them; 0 from a node to itself.
    """
    first_node = first_merge = first_pair = 0
    for s in range(len(num_tokens)):
        n = num_tokens[s]
        m = max(2 * n - 1, 0)
        parent = np.zeros(m, dtype=np.int64)
        for k in range(n - 1):
            parent[left[first_merge + k] - first_node] = n + k
            parent[right[first_merge + k] - first_node] = n + k
        for i in range(m - 1, -1, -1):  # a parent comes after its children, so its own distances are known
            own = first_pair + i * m
            distances[own + i] = 0
            for j in range(i + 1, m):
                steps = distances[first_pair + parent[i] * m + j] + 1
                distances[own + j] = distances[first_pair + j * m + i] = steps
            for j in range(m):
                rows[own + j], columns[own + j] = first_node + i, first_node + j
        first_node += m
        first_merge += max(n - 1, 0)
        first_pair += m * m
