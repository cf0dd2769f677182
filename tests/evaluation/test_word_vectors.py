"""Word vectors of a corpus against scikit-learn."""

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from selfsent.errors import UserError
from selfsent.evaluation.word_vectors import tfidf_svd, word_vectors


def test_tfidf_svd_has_the_cosines_of_scikit_learn(sentences: list[str]):
    vectorizer = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b")
    svd = TruncatedSVD(4, algorithm="arpack", random_state=0)
    theirs = svd.fit_transform(vectorizer.fit_transform(sentences))
    new = ["The dogs sleep on the roof", "rain in the hills", "words unseen: the guitar"]
    theirs = np.concatenate([theirs, svd.transform(vectorizer.transform(new))])
    ours = tfidf_svd(sentences, dimension=4).encode([*sentences, *new])
    np.testing.assert_allclose(cosine_similarity(ours), cosine_similarity(theirs), atol=1e-4)


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
