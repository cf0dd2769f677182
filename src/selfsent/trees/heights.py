"""Group merges by the height of the node they make: a pass over trees can compute a group at once."""

import numpy as np

from selfsent.compiler import compiled
from selfsent.trees.tree import IntArray


@compiled()
def order_by_height(parents: IntArray, left: IntArray, right: IntArray, num_nodes: int) -> tuple[IntArray, IntArray]:
    """Sort merges by height with a stable counting sort.

    Args:
        parents: Node that each merge makes; a child is always made before its parent.
        left: Left child of each merge.
        right: Right child of each merge.
        num_nodes: Nodes in all, leaves included.

    Returns:
        The merges, lowest first, and the boundaries between heights: those of height ``h`` stand at
        ``boundaries[h - 1]:boundaries[h]``.
    """
    height = np.zeros(num_nodes, dtype=np.int64)
    highest = 0
    for i in range(len(parents)):
        height[parents[i]] = 1 + max(height[left[i]], height[right[i]])
        highest = max(highest, height[parents[i]])
    boundaries = np.zeros(highest + 1, dtype=np.int64)
    for i in range(len(parents)):
        boundaries[height[parents[i]]] += 1
    for h in range(1, highest + 1):
        boundaries[h] += boundaries[h - 1]
    order = np.empty(len(parents), dtype=np.int64)
    place = boundaries.copy()
    for i in range(len(parents)):
        h = height[parents[i]] - 1
        order[place[h]] = i
        place[h] += 1
    return order, boundaries
