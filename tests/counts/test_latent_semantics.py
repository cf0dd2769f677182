"""Latent semantics against a dense SVD, in passages that parts of the corpus do not cut."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfTransformer
from tokenizers import Tokenizer, models, pre_tokenizers

from selfsent.counts import latent_semantics as latent_semantics_module
from selfsent.counts.latent_semantics import latent_semantics
from selfsent.counts.tokenized_texts import TokenizedTexts

TEXTS = ["a b a c", "b c", "", "d", "a d b a", "c c a", "d"]
WORDS = "?abcd"


@pytest.fixture
def tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


@pytest.mark.parametrize("tokens_at_once", [1, 9, 100])
@pytest.mark.parametrize("texts_a_passage", [1, 2, 3])
def test_cosines_are_those_of_a_dense_svd(
    tokenizer: Tokenizer, texts_a_passage: int, tokens_at_once: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(latent_semantics_module, "TOKENS_AT_ONCE", tokens_at_once)
    passages = [" ".join(TEXTS[i : i + texts_a_passage]).split() for i in range(0, len(TEXTS), texts_a_passage)]
    counts = np.array([[passage.count(word) for word in WORDS] for passage in passages])
    weighted = TfidfTransformer(sublinear_tf=True).fit_transform(counts).toarray()
    _, singular_values, right = np.linalg.svd(weighted)
    expected = right[:2].T * np.sqrt(singular_values[:2])
    expected /= np.maximum(np.linalg.norm(expected, axis=1, keepdims=True), 1e-12)

    vectors = latent_semantics(TokenizedTexts.of(TEXTS, tokenizer), dimension=2, texts_a_passage=texts_a_passage)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose((vectors @ vectors.T)[1:, 1:], (expected @ expected.T)[1:, 1:], atol=1e-5)
    np.testing.assert_array_equal(vectors[0], 0)  # the unknown word is in no text


def test_a_corpus_of_one_passage_or_none_says_nothing_or_little(tokenizer: Tokenizer):
    assert not latent_semantics(TokenizedTexts.of([], tokenizer), dimension=3).any()
    assert not latent_semantics(TokenizedTexts.of(["a b"], tokenizer), dimension=3).any()
    few = latent_semantics(TokenizedTexts.of(["a b", "b c", "d a"], tokenizer), dimension=9)
    assert few.shape == (5, 9)
    assert not few[:, 2:].any()
