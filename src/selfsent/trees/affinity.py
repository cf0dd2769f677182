"""A tree from how much each two words of a sentence have to do with each other, whatever measured it."""

import numpy as np
from jaxtyping import Float

from selfsent.trees.tree import Tree


def merged_by_affinity(affinity: Float[np.ndarray, "W W"]) -> Tree:
    """Merge the two neighbouring constituents of the greatest mean affinity until one is left.

    The affinity of two constituents is the mean over all pairs of a word of one and a word of the other, so a merge
    changes that of its two neighbours only. Ties go to the left.

    Source: StrAE (Opper et al., EMNLP 2023) names structure from a transformer's attention; how it is derived could
    not be had, so this is our reading: adjacent merges as in Self-StrAE, with another measure.

    Args:
        affinity: Of each word with each other, ``(words, words)``; both directions count.
    """
    num_words = len(affinity)
    sums = np.zeros((num_words + 1, num_words + 1))
    sums[1:, 1:] = (affinity + affinity.T).cumsum(axis=0).cumsum(axis=1)

    def mean(start: int, middle: int, end: int) -> float:
        inside = sums[middle, end] - sums[start, end] - sums[middle, middle] + sums[start, middle]
        return float(inside / ((middle - start) * (end - middle)))

    nodes, bounds = list(range(num_words)), list(range(num_words + 1))
    means = [mean(place, place + 1, place + 2) for place in range(num_words - 1)]
    left: list[int] = []
    right: list[int] = []
    while means:
        place = int(np.argmax(means))
        left.append(nodes[place])
        right.append(nodes[place + 1])
        nodes[place : place + 2] = [num_words + len(left) - 1]
        del bounds[place + 1], means[place]
        if place:
            means[place - 1] = mean(*bounds[place - 1 : place + 2])
        if place < len(means):
            means[place] = mean(*bounds[place : place + 3])
    return Tree(num_words, np.array(left, dtype=np.int64), np.array(right, dtype=np.int64))
