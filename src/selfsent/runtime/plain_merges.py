"""Greedy induction of one sentence in plain numpy: for a single query, before numba has been imported.

Importing numba and loading the compiled loops takes half a second of processor time, a short query here a millisecond.
Sums are rounded in another order here, so two pairs that are almost equally similar might be merged in another order
than by the compiled loops. Where that could be, nothing is returned, and the compiled loops decide.
"""

import numpy as np

from selfsent.runtime.saved_files import Floats
from selfsent.trees.tree import IntArray

_LEAST_NORM = 1e-8
_MARGIN = 4e-6
"""Cosines nearer to each other than this may be ordered otherwise by rounding (measured: 6e-7 at most, of 1,024
values)."""


def merge_one(leaves: Floats, weight: Floats, bias: Floats) -> tuple[IntArray, IntArray, Floats] | None:
    """Merge the most similar adjacent pair of a sentence until one node is left, the first of equal pairs.

    Args:
        leaves: Leaf embeddings of a sentence of at least one token, ``(T, D)``.
        weight: Composition weight, ``(U, 2U)``.
        bias: Composition bias, ``(U,)``.

    Returns:
        Left and right child of each merge, and the embedding of every node, ``(2T - 1, D)``; None where rounding might
        decide, or a number is not finite.
    """
    num_tokens = len(leaves)
    up = np.empty((2 * num_tokens - 1, leaves.shape[1]), dtype=np.float32)
    up[:num_tokens] = leaves
    if not np.isfinite(leaves).all():
        return None
    size = len(bias)
    of_left, of_right = weight[:, :size].T, weight[:, size:].T
    content: dict[object, int] = {}
    names = [content.setdefault(row.tobytes(), len(content)) for row in leaves]
    norms = [max(float(np.sqrt(row @ row)), _LEAST_NORM) for row in leaves]
    frontier = list(range(num_tokens))

    def cosine(one: int, other: int) -> float:
        return float(up[one] @ up[other]) / (norms[one] * norms[other])

    cosines = [cosine(one, one + 1) for one in range(num_tokens - 1)]
    left, right = np.empty((2, num_tokens - 1), dtype=np.int64)
    for merge in range(num_tokens - 1):
        best = max(cosines)
        near = [place for place, value in enumerate(cosines) if value >= best - _MARGIN]
        pairs = {tuple(sorted((names[frontier[place]], names[frontier[place + 1]]))) for place in near}
        if len(pairs) != 1:  # different pairs; equal ones are equally similar however sums are rounded
            return None
        place, parent = near[0], num_tokens + merge
        one, other = frontier[place], frontier[place + 1]
        left[merge], right[merge] = one, other
        channels = up[one].reshape(-1, size) @ of_left + up[other].reshape(-1, size) @ of_right + bias
        up[parent] = channels.ravel()
        if not np.isfinite(up[parent]).all():
            return None
        names.append(content.setdefault((names[one], names[other]), len(content)))
        norms.append(max(float(np.sqrt(up[parent] @ up[parent])), _LEAST_NORM))
        frontier[place : place + 2] = [parent]
        del cosines[place]
        if place < len(cosines):
            cosines[place] = cosine(parent, frontier[place + 1])
        if place > 0:
            cosines[place - 1] = cosine(frontier[place - 1], parent)
    return left, right, up
