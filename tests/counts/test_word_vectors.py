"""Word vectors of a corpus against scikit-learn."""

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from selfsent.counts.word_vectors import tfidf_svd, word_vectors
from selfsent.errors import UserError
from selfsent.words import Analyser


def test_tfidf_svd_sums_the_idf_weighted_directions_that_scikit_learn_finds(sentences: list[str]):
    analyser = Analyser("en")
    vectorizer = TfidfVectorizer(analyzer=analyser.analyse, sublinear_tf=True)
    svd = TruncatedSVD(4, algorithm="arpack", random_state=0).fit(vectorizer.fit_transform(sentences))
    rows = svd.components_.T * np.sqrt(svd.singular_values_)
    new = ["Dogs on the roof", "rain in the hills", "words unseen: the guitar", "the rain, the rain, the committee"]
    expected = np.zeros((len(sentences) + len(new), 4))
    for number, text in enumerate([*sentences, *new]):
        for word in analyser.analyse(text):
            column = vectorizer.vocabulary_.get(word)
            if column is not None:
                expected[number] += vectorizer.idf_[column] * rows[column] / np.linalg.norm(rows[column])
    ours = tfidf_svd(sentences, dimension=4).encode([*sentences, *new])
    np.testing.assert_allclose(cosine_similarity(ours), cosine_similarity(expected), atol=1e-4)


def test_a_word_is_as_long_as_its_idf_however_frequent_it_is(sentences: list[str]):
    model = tfidf_svd(sentences, dimension=4)
    first = model[0]
    vocabulary = first.tokenizer.get_vocab()
    lengths = np.linalg.norm(first.embedding.weight.detach().numpy(), axis=1)
    for word in ("the", "guitar", "committee"):
        holding = sum(word in Analyser().analyse(sentence) for sentence in sentences)
        idf = np.log((1 + len(sentences)) / (1 + holding)) + 1  # scikit-learn's, smoothed
        assert lengths[vocabulary[word]] == pytest.approx(idf, rel=1e-5)


def test_forms_of_a_word_have_one_direction_and_an_identifier_that_of_its_parts_too():
    texts = [
        "the dog barks at night",
        "dogs bark by day",
        "read_csv reads a csv file",
        "a file is open",
        "the night is dark",
    ]
    model = tfidf_svd(texts * 3, dimension=4)
    dog, dogs, identifier, csv, night = model.encode(["dog", "dogs", "read_csv", "csv", "night"])
    np.testing.assert_allclose(dog, dogs, atol=1e-6)
    assert identifier @ csv > 0.9 > identifier @ night


def test_word_vectors_know_the_characters_of_a_language_without_spaces():
    texts = ["委員会は予算を承認した", "予算の承認は明日", "犬は浜辺を走る", "浜辺の犬と朝"] * 5
    for fit in (tfidf_svd, word_vectors):
        model = fit(texts, dimension=3)
        budget, other, dog = model.encode(["予算", "承認の予算", "犬と浜辺"])
        assert budget @ other > budget @ dog


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


def test_a_corpus_of_one_word_in_three_forms_is_refused():
    with pytest.raises(UserError, match="2 texts and 1 words is too small"):
        tfidf_svd(["connect connected connecting connection", "connected connects"])
