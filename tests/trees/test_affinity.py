"""Trees by affinity: a value worked out by hand, a naive search, and what does not matter."""

import itertools

import numpy as np
import pytest

from selfsent.trees.affinity import merged_by_affinity


def test_four_words_are_merged_as_worked_out_by_hand():
    # Between neighbours 5, 3 and 4: the first two words are merged. Of them and the third the mean is (3 + 1) / 2 = 2,
    # so the last two come next, with 4, and then all.
    affinity = np.zeros((4, 4))
    affinity[0, 1], affinity[1, 2], affinity[2, 3], affinity[0, 2] = 5, 3, 4, 1
    assert merged_by_affinity(affinity).spans == [(0, 2), (2, 4), (0, 4)]
    # With 9 between the first word and the third, the pair and the third have (3 + 9) / 2 = 6 and win.
    affinity[0, 2] = 9
    assert merged_by_affinity(affinity).spans == [(0, 2), (0, 3), (0, 4)]


def naive(affinity: np.ndarray) -> list[tuple[int, int]]:
    """Every mean anew at every merge."""
    parts = [[word] for word in range(len(affinity))]
    spans = []
    both = affinity + affinity.T
    while len(parts) > 1:
        means = [both[np.ix_(one, other)].mean() for one, other in itertools.pairwise(parts)]
        place = int(np.argmax(means))
        parts[place : place + 2] = [parts[place] + parts[place + 1]]
        spans.append((parts[place][0], parts[place][-1] + 1))
    return spans


@pytest.mark.parametrize("num_words", [0, 1, 2, 3, 7, 30])
def test_it_is_the_naive_search_and_direction_does_not_matter(num_words: int):
    affinity = np.random.default_rng(num_words).random((num_words, num_words))
    tree = merged_by_affinity(affinity)
    assert tree.num_tokens == num_words
    assert tree.spans == naive(affinity)
    assert merged_by_affinity(affinity.T).spans == tree.spans


def test_ties_go_to_the_left():
    assert merged_by_affinity(np.ones((4, 4))).spans == [(0, 2), (0, 3), (0, 4)]
