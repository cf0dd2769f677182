"""Number merges by the pair of nodes they join: equal pairs get one number, through a hash table."""

import numpy as np

from selfsent.compiler import compiled
from selfsent.trees.tree import IntArray

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: spreads consecutive keys
_HALF = np.uint64(32)


def number_merges(
    parents: IntArray, left: IntArray, right: IntArray, node_of: IntArray, num_leaves: int
) -> tuple[IntArray, IntArray]:
    """Give every merge the number of its pair of children, in the order in which pairs first occur.

    Args:
        parents: Node of the trees that each merge makes, children before parents.
        left: Left child of each merge, a node of the trees.
        right: Right child of each merge.
        node_of: Number of each node of the trees; those of leaves are given, those of ``parents`` are filled in.
        num_leaves: First number to give; below 2^31, as are all numbers.

    Returns:
        Numbers of the left and the right children of each distinct pair.
    """
    size = 8
    while size < 2 * len(parents):
        size *= 2
    numbers = np.full(size, -1, dtype=np.int64)
    lefts, rights = np.empty(len(parents), dtype=np.int64), np.empty(len(parents), dtype=np.int64)
    shift = np.uint64(64 - (size.bit_length() - 1))
    num_pairs = _number(parents, left, right, node_of, num_leaves, numbers, shift, lefts, rights)
    return lefts[:num_pairs], rights[:num_pairs]


@compiled()
def _number(
    parents: IntArray,
    left: IntArray,
    right: IntArray,
    node_of: IntArray,
    num_leaves: int,
    numbers: IntArray,
    shift: np.uint64,
    lefts: IntArray,
    rights: IntArray,
) -> int:
    """Look each pair up by linear probing; a table at most half full has short runs."""
    num_pairs = 0
    last = len(numbers) - 1
    for i in range(len(parents)):
        a, b = node_of[left[i]], node_of[right[i]]
        slot = np.int64((((np.uint64(a) << _HALF) ^ np.uint64(b)) * _MULTIPLIER) >> shift)
        while numbers[slot] >= 0 and (lefts[numbers[slot]] != a or rights[numbers[slot]] != b):
            slot = (slot + 1) & last
        if numbers[slot] < 0:
            numbers[slot] = num_pairs
            lefts[num_pairs], rights[num_pairs] = a, b
            num_pairs += 1
        node_of[parents[i]] = num_leaves + numbers[slot]
    return num_pairs
