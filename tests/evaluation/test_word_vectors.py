"""Word vectors of a corpus against scikit-learn, naive counts and hand-worked tables."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from selfsent.errors import UserError
from selfsent.evaluation import word_vectors as word_vectors_module
from selfsent.evaluation.word_vectors import (
    cooccurrences,
    positive_pmi,
    tfidf_svd,
    word_vectors,
)


def test_tfidf_svd_has_the_cosines_of_scikit_learn(sentences: list[str]):
    vectorizer = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b")
    svd = TruncatedSVD(4, algorithm="arpack", random_state=0)
    theirs = svd.fit_transform(vectorizer.fit_transform(sentences))
    new = ["The dogs sleep on the roof", "rain in the hills", "words unseen: the guitar"]
    theirs = np.concatenate([theirs, svd.transform(vectorizer.transform(new))])
    ours = tfidf_svd(sentences, dimension=4).encode([*sentences, *new])
    np.testing.assert_allclose(cosine_similarity(ours), cosine_similarity(theirs), atol=1e-4)


def test_cooccurrences_equal_a_naive_count():
    texts = ["a b a c", "b c", "d", "a d b"]
    tokenizer = word_vectors_module._word_tokenizer(texts, 100)
    naive = np.zeros((5, 5))
    for text in texts:
        words = [tokenizer.token_to_id(word) for word in text.split()]
        for i, one in enumerate(words):
            for j, other in enumerate(words):
                naive[one, other] += 0 < abs(i - j) <= 2
    np.testing.assert_array_equal(cooccurrences(texts, tokenizer, window=2).toarray(), naive)


def test_positive_pmi_of_a_hand_worked_table():
    counts = csr_array(np.array([[4.0, 0.0], [2.0, 2.0]]))
    # p(w) = 1/2, 1/2; p(c) = 6/8, 2/8; log(p(w, c) / p(w) p(c))
    expected = [[np.log(0.5 / (0.5 * 0.75)), 0], [0, np.log(0.25 / (0.5 * 0.25))]]
    np.testing.assert_allclose(positive_pmi(counts, smoothing=1.0).toarray(), expected)


def test_words_that_share_contexts_get_similar_vectors():
    generator = np.random.default_rng(0)
    animals, tools = ["cat", "dog", "fox"], ["saw", "nail", "drill"]
    texts = [f"{generator.choice(['furry', 'wild', 'tame'])} {generator.choice(animals)} runs" for _ in range(100)] + [
        f"{generator.choice(['steel', 'sharp', 'heavy'])} {generator.choice(tools)} cuts" for _ in range(100)
    ]
    model = word_vectors(texts, dimension=4)
    similarity = cosine_similarity(model.encode([*animals, *tools]))
    assert similarity[:3, :3].min() > similarity[:3, 3:].max()


def test_unseen_words_count_for_nothing(sentences: list[str]):
    model = tfidf_svd(sentences, dimension=4)
    seen, padded, unseen = model.encode(["the guitar", "zyx the guitar !!", "zyx"])
    np.testing.assert_allclose(seen, padded, atol=1e-6)
    assert not unseen.any()


@pytest.mark.parametrize("texts", [[], ["one text only here"], ["a", "a b"]])
def test_a_corpus_too_small_is_refused(texts: list[str]):
    for fit in (tfidf_svd, word_vectors):
        with pytest.raises(UserError, match="too small"):
            fit(texts)
