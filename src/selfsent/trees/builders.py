"""Fixed structures: balanced, right-branching, left-branching and random trees.

Source: StrAE (Opper et al., EMNLP 2023), which compares such uninformative structures with parses and induced trees.
"""

from collections.abc import Callable

import numpy as np

from selfsent.trees.tree import IntArray, Tree


def balanced(num_tokens: int) -> Tree:
    """Split every span in the middle; an odd span's extra token goes left (not stated in the paper)."""
    left: list[int] = []
    right: list[int] = []
    node_of: dict[tuple[int, int], int] = {(i, i + 1): i for i in range(num_tokens)}
    stack = [(0, num_tokens, False)] if num_tokens > 1 else []
    while stack:
        start, end, children_done = stack.pop()
        if end - start == 1:
            continue
        middle = start + (end - start + 1) // 2
        if not children_done:
            stack += [(start, end, True), (middle, end, False), (start, middle, False)]
            continue
        node_of[start, end] = num_tokens + len(left)
        left.append(node_of[start, middle])
        right.append(node_of[middle, end])
    return Tree(num_tokens, _array(left), _array(right))


def right_branching(num_tokens: int) -> Tree:
    """Build ``(w1 (w2 (w3 ...)))``."""
    merges = np.arange(max(num_tokens - 1, 0), dtype=np.int64)
    right = np.where(merges == 0, num_tokens - 1, num_tokens + merges - 1)
    return Tree(num_tokens, num_tokens - 2 - merges, right)


def left_branching(num_tokens: int) -> Tree:
    """Build ``(((w1 w2) w3) ...)``."""
    merges = np.arange(max(num_tokens - 1, 0), dtype=np.int64)
    return Tree(num_tokens, np.where(merges == 0, 0, num_tokens + merges - 1), merges + 1)


def random_tree(num_tokens: int, generator: np.random.Generator) -> Tree:
    """Merge a uniformly drawn adjacent pair until one node is left."""
    frontier = list(range(num_tokens))
    left: list[int] = []
    right: list[int] = []
    while len(frontier) > 1:
        position = int(generator.integers(len(frontier) - 1))
        left.append(frontier[position])
        right.append(frontier[position + 1])
        frontier[position : position + 2] = [num_tokens + len(left) - 1]
    return Tree(num_tokens, _array(left), _array(right))


FIXED_BUILDERS: dict[str, Callable[[int], Tree]] = {
    "balanced": balanced,
    "right": right_branching,
    "left": left_branching,
}


def _array(values: list[int]) -> IntArray:
    return np.array(values, dtype=np.int64)
