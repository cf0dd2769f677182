"""Vectors of spelling: near for forms of one word, the same for the same seed."""

import numpy as np
import pytest

from selfsent.counts.spelling import spelling_vectors

TOKENS = ["▁walk", "▁walks", "▁walking", "▁zebu", "▁quip", "s", "[UNK]"]


@pytest.mark.parametrize("dimension", [64, 2048])
def test_forms_of_a_word_are_nearer_than_words_without_a_common_letter(dimension: int):
    vectors = spelling_vectors(TOKENS, dimension=dimension)
    cosines = vectors @ vectors.T
    np.testing.assert_allclose(np.diag(cosines), 1, rtol=1e-5)
    assert cosines[0, 1] > 0.3
    assert cosines[0, 2] > cosines[0, 3] + 0.2
    assert cosines[0, 1] > cosines[0, 4] + 0.2


def test_words_that_share_no_n_gram_are_at_right_angles_but_for_chance():
    vectors = spelling_vectors(["abc", "xyz", "mno"], dimension=4096)
    assert np.abs(vectors @ vectors.T - np.eye(3)).max() < 0.1


def test_the_seed_draws_the_vectors():
    one, again, other = (spelling_vectors(TOKENS, dimension=16, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, other)
