"""Merges from split depths: one sweep over the gaps of each sentence, compiled."""

import numpy as np

from selfsent.compiler import compiled
from selfsent.trees.tree import IntArray


@compiled()
def merges_of_depths(
    depths: IntArray, num_tokens: IntArray, ties_go_left: bool, left: IntArray, right: IntArray
) -> None:
    """Fill in the merges of every sentence, children before parents and from left to right.

    A gap binds tighter the deeper it is. Gaps of equal depth with nothing shallower between them are one constituent
    of several children. Time and memory are linear in the tokens; nothing recurses.

    Args:
        depths: Depth of every gap, all sentences one after another.
        num_tokens: Leaves of each sentence.
        ties_go_left: Whether several children are merged from the left, ``((a b) c)``, or from the right.
        left: Receives the global id of each merge's left child.
        right: The same for the right child.
    """
    first_node = first_gap = 0
    for s in range(len(num_tokens)):
        n = num_tokens[s]
        waiting = np.empty(max(n, 1), dtype=np.int64)  # left children that wait, and the depth of the gap behind each
        waiting_depth = np.empty(max(n, 1), dtype=np.int64)
        num_waiting = num_merges = 0
        for i in range(n):
            node = first_node + i
            while num_waiting:
                before = waiting_depth[num_waiting - 1]
                if i < n - 1:
                    after = depths[first_gap + i]
                    if before < after or (before == after and not ties_go_left):
                        break
                num_waiting -= 1
                left[first_gap + num_merges], right[first_gap + num_merges] = waiting[num_waiting], node
                node = first_node + n + num_merges
                num_merges += 1
            if i < n - 1:
                waiting[num_waiting], waiting_depth[num_waiting] = node, depths[first_gap + i]
                num_waiting += 1
        first_node += max(2 * n - 1, 0)
        first_gap += max(n - 1, 0)
