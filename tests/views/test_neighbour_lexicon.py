"""Synonyms found in a corpus: words that share contexts, no stop words, one reading of the corpus."""

import random
from pathlib import Path

import pytest
from sklearn.metrics.pairwise import cosine_similarity

from selfsent.counts.word_vectors import word_vectors
from selfsent.errors import UserError
from selfsent.views import neighbour_lexicon as neighbour_lexicon_module
from selfsent.views.neighbour_lexicon import neighbour_lexicon

ANIMALS, TOOLS = ["cat", "dog", "fox"], ["saw", "nail", "drill"]


@pytest.fixture
def texts() -> list[str]:
    generator = random.Random(0)
    animals = [f"the {generator.choice(['furry', 'wild'])} {generator.choice(ANIMALS)} runs" for _ in range(200)]
    tools = [f"the {generator.choice(['steel', 'sharp'])} {generator.choice(TOOLS)} cuts 7" for _ in range(200)]
    return [text for pair in zip(animals, tools, strict=True) for text in pair]


def test_a_words_synonyms_share_its_contexts(texts: list[str]):
    synonyms = neighbour_lexicon(texts, num_neighbours=2, num_frequent=1).synonyms
    for kind in (ANIMALS, TOOLS):
        for word in kind:
            assert set(synonyms[word]) == set(kind) - {word}


def test_the_neighbours_are_the_nearest_by_cosine(texts: list[str]):
    synonyms = neighbour_lexicon(texts, num_neighbours=3, min_similarity=-1, num_frequent=1).synonyms
    words = list(synonyms)
    vectors = word_vectors(texts, window=2, max_vocabulary=10_000).encode(words)
    similarity = cosine_similarity(vectors)
    for row, word in enumerate(words):
        order = sorted(set(range(len(words))) - {row}, key=lambda column, row=row: -similarity[row, column])
        chosen = [similarity[row, words.index(other)] for other in synonyms[word]]
        assert chosen == pytest.approx([similarity[row, column] for column in order[:3]], abs=1e-5)


def test_a_word_without_a_close_neighbour_has_no_synonym(texts: list[str]):
    every = neighbour_lexicon(texts, min_similarity=-1, num_frequent=1).synonyms
    close = neighbour_lexicon(texts, min_similarity=0.9, num_frequent=1).synonyms
    words = list(every)
    similarity = cosine_similarity(word_vectors(texts, window=2, max_vocabulary=10_000).encode(words))
    for word, others in every.items():
        expected = [other for other in others if similarity[words.index(word), words.index(other)] >= 0.9]
        assert list(close.get(word, ())) == expected
    assert 0 < len(close) < len(every)


def test_stop_words_numbers_and_rare_words_stay_out(texts: list[str]):
    synonyms = neighbour_lexicon([*texts, "zebra"], num_neighbours=2, num_frequent=3).synonyms
    involved = set(synonyms).union(*synonyms.values())
    assert involved.isdisjoint({"the", "7", "zebra"})
    assert involved.isdisjoint({"runs", "cuts"})  # with "the" the most frequent of this corpus


def test_a_second_time_the_lexicon_is_read_from_its_file(
    texts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    first = neighbour_lexicon(iter(texts), cache_dir=tmp_path, num_frequent=1)
    other = neighbour_lexicon(texts, cache_dir=tmp_path, num_frequent=1, num_neighbours=1)
    assert len(list(tmp_path.iterdir())) == 2
    monkeypatch.setattr(neighbour_lexicon_module, "word_vectors", None)
    assert neighbour_lexicon(texts, cache_dir=tmp_path, num_frequent=1) == first
    assert neighbour_lexicon(texts, cache_dir=tmp_path, num_frequent=1, num_neighbours=1) == other


def test_a_corpus_too_small_is_refused():
    with pytest.raises(UserError, match="give more text, or a lexicon"):
        neighbour_lexicon(["a furry cat runs", "a sharp saw cuts"])
