import numpy as np
import pytest

from selfsent.evaluation.statistics import PartialRankCorrelation
from selfsent.evaluation.tasks.similarity_bias import (
    frequency_bias_columns,
    frequent_words,
    length_bias_columns,
    length_closeness,
    word_overlap,
    words_of,
)


@pytest.fixture
def pairs() -> list[tuple[str, str]]:
    """Random sentences over a few frequent and many rare words."""
    generator = np.random.default_rng(3)
    vocabulary = [*("the", "of", "a"), *(f"w{number}" for number in range(60))]
    weights = np.array([20.0] * 3 + [1.0] * 60)
    sentences = [
        " ".join(generator.choice(vocabulary, size=generator.integers(3, 12), p=weights / weights.sum()))
        for _ in range(400)
    ]
    return list(zip(sentences[::2], sentences[1::2], strict=True))


def test_words_are_lower_cased_and_free_of_punctuation():
    assert words_of("The cat's roof, THE end.") == ["the", "cat", "s", "roof", "the", "end"]


def test_frequent_words_make_up_the_share_of_running_text():
    text = ["a a a a b b b c c d"]
    assert frequent_words(text, share=0.4) == {"a"}
    assert frequent_words(text, share=0.5) == {"a", "b"}
    assert frequent_words(text, share=1.0) == {"a", "b", "c", "d"}


def test_overlap_and_closeness_of_hand_worked_pairs():
    pairs = [("a b c", "a b d e"), ("x", "y"), ("!", "?"), ("a a", "a")]
    np.testing.assert_allclose(word_overlap(pairs), [2 / 5, 0, 0, 1])
    np.testing.assert_allclose(word_overlap(pairs, lambda word: word == "a"), [1, 0, 0, 1])
    np.testing.assert_allclose(length_closeness(pairs), [3 / 4, 1, 1, 1 / 2])


def test_a_similarity_that_is_the_overlap_of_frequent_words_has_the_full_frequency_bias(pairs: list[tuple[str, str]]):
    gold = np.random.default_rng(4).uniform(0, 5, len(pairs))
    overlap = frequency_bias_columns(gold, gold, pairs)[:, 1]
    for sign in (1, -1):
        assert PartialRankCorrelation()(frequency_bias_columns(sign * overlap, gold, pairs)) == pytest.approx(sign)


def test_a_similarity_that_is_the_closeness_in_length_has_the_full_length_bias(pairs: list[tuple[str, str]]):
    gold = np.random.default_rng(4).uniform(0, 5, len(pairs))
    assert PartialRankCorrelation()(length_bias_columns(length_closeness(pairs), gold, pairs)) == pytest.approx(1.0)


def test_a_similarity_that_follows_gold_and_chance_has_no_bias(pairs: list[tuple[str, str]]):
    generator = np.random.default_rng(5)
    gold = generator.uniform(0, 5, len(pairs))
    similarities = gold + generator.standard_normal(len(pairs))
    for columns in (frequency_bias_columns, length_bias_columns):
        bias = PartialRankCorrelation()(columns(similarities, gold, pairs))
        assert abs(bias) < 4 / np.sqrt(len(pairs))  # four standard errors under independence


def test_a_bag_of_frequent_words_is_more_biased_than_a_bag_of_the_others(pairs: list[tuple[str, str]]):
    generator = np.random.default_rng(6)
    gold = generator.uniform(0, 5, len(pairs))
    frequent = frequent_words([sentence for pair in pairs for sentence in pair])
    noise = 0.1 * generator.standard_normal(len(pairs))
    biases = [
        PartialRankCorrelation()(frequency_bias_columns(word_overlap(pairs, keep) + noise, gold, pairs))
        for keep in (lambda word: word in frequent, lambda word: word not in frequent)
    ]
    assert biases[0] > 4 / np.sqrt(len(pairs)) > abs(biases[1])
