"""Counts of neighbours against a naive count, their association against a hand-worked table, vectors against an SVD."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from tokenizers import Tokenizer, models, pre_tokenizers

from selfsent.counts import cooccurrences as cooccurrences_module
from selfsent.counts.cooccurrences import cooccurrences, positive_pmi, principal_vectors
from selfsent.counts.tokenized_texts import TokenizedTexts

TEXTS = ["a b a c", "b c", "", "d", "a d b ? a"]


@pytest.fixture
def tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(
        models.WordLevel({word: i for i, word in enumerate(["?", "a", "b", "c", "d"])}, unk_token="?")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


@pytest.mark.parametrize("tokens_at_once", [1, 2, 100])
@pytest.mark.parametrize("unknown", [0, None])
def test_cooccurrences_equal_a_naive_count(
    tokenizer: Tokenizer, unknown: int | None, tokens_at_once: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cooccurrences_module, "TOKENS_AT_ONCE", tokens_at_once)
    naive = np.zeros((5, 5))
    for text in TEXTS:
        words = [tokenizer.token_to_id(word) for word in text.split()]
        for i, one in enumerate(words):
            for j, other in enumerate(words):
                naive[one, other] += 0 < abs(i - j) <= 2 and unknown not in (one, other)
    counted = cooccurrences(TokenizedTexts.of(TEXTS, tokenizer), window=2, unknown=unknown)
    np.testing.assert_array_equal(counted.toarray(), naive)


@pytest.mark.parametrize("unknown", [0, None])
def test_a_window_wider_than_every_text_counts_all_pairs_of_a_text(tokenizer: Tokenizer, unknown: int | None):
    counted = cooccurrences(TokenizedTexts.of(TEXTS, tokenizer), window=10**17, unknown=unknown)
    whole = cooccurrences(TokenizedTexts.of(TEXTS, tokenizer), window=None, unknown=unknown)
    np.testing.assert_array_equal(counted.toarray(), whole.toarray())
    assert whole.toarray()[1, 1] == 4  # "a" stands twice in two texts
    assert whole.nnz == np.count_nonzero(whole.toarray())


def test_positive_pmi_of_a_hand_worked_table():
    counts = csr_array(np.array([[4.0, 0.0], [2.0, 2.0]]))
    # p(w) = 1/2, 1/2; p(c) = 6/8, 2/8; log(p(w, c) / p(w) p(c)), of which log(2/3) is dropped
    association = positive_pmi(counts, smoothing=1.0)
    np.testing.assert_allclose(association.toarray(), [[np.log(4 / 3), 0], [0, np.log(2)]])
    assert association.nnz == 2


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_vectors_have_the_products_of_the_principal_directions(power: float):
    matrix = np.random.default_rng(0).random((12, 12))
    left, singular_values, _ = np.linalg.svd(matrix)
    vectors = principal_vectors(csr_array(matrix), dimension=3, eigenvalue_power=power)
    expected = left[:, :3] * singular_values[:3] ** power
    np.testing.assert_allclose(vectors @ vectors.T, expected @ expected.T, atol=1e-2)


def test_a_word_without_neighbours_has_the_zero_vector_and_the_dimension_is_at_most_the_vocabularys(
    tokenizer: Tokenizer,
):
    association = positive_pmi(cooccurrences(TokenizedTexts.of(TEXTS, tokenizer), window=1, unknown=0))
    vectors = principal_vectors(association, dimension=50, eigenvalue_power=0.0)
    assert vectors.shape == (5, 4)
    np.testing.assert_allclose(vectors[0], 0, atol=1e-12)
