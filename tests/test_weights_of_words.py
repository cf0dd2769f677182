"""Weights of words and phrases, as the limits of tree models are measured by: by hand, on texts of a few ids."""

import math
from itertools import chain

import numpy as np
import pytest
from benchmarks.learned_weights import learned
from benchmarks.phrases import find_phrases, first_of_pairs
from benchmarks.weights_of_words import by_token, inverse_document, places, without_common

from selfsent.counts.tokenized_texts import TokenizedTexts


def texts_of(*texts: list[int]) -> TokenizedTexts:
    ids = np.fromiter(chain.from_iterable(texts), dtype=np.int32)
    return TokenizedTexts(ids=ids, starts=np.cumsum([0, *map(len, texts)]), num_ids=int(ids.max()) + 1)


def listed(texts: TokenizedTexts) -> list[list[int]]:
    return [texts.ids[first:last].tolist() for first, last in zip(texts.starts[:-1], texts.starts[1:], strict=True)]


def test_pairs_that_overlap_are_chosen_from_left_to_right():
    mask = np.array([True, True, True, False, True, True, False, True])
    assert first_of_pairs(mask).tolist() == [True, False, True, False, True, False, False, True]
    assert first_of_pairs(np.zeros(0, dtype=bool)).tolist() == []


def test_phrases_are_neighbours_of_high_mutual_information_within_a_text():
    # Each id stands twice among 8 tokens. 1 2 stands twice: log(2 * 8 / (2 * 2)); four other pairs once: log(8 / 4).
    # 0 0, across the end of the first text, is not a pair.
    texts = texts_of([1, 2, 3, 3, 0], [], [0, 1, 2])
    counts = np.bincount(texts.ids, minlength=4)
    assert counts.tolist() == [2, 2, 2, 2]
    twice = find_phrases(texts, threshold=0.0, least=2)
    assert twice.keys.tolist() == [1 * 4 + 2]
    information = math.log(2 * 8 / (2 * 2))
    assert find_phrases(texts, threshold=information + 1e-9, least=2).keys.tolist() == []
    once = find_phrases(texts, threshold=math.log(8 / 4) - 1e-9, least=1)
    assert once.keys.tolist() == [0 * 4 + 1, 1 * 4 + 2, 2 * 4 + 3, 3 * 4 + 0, 3 * 4 + 3]


def test_a_phrase_takes_the_place_of_its_tokens_or_stands_alone():
    phrases = find_phrases(texts_of([1, 2, 3, 3, 0], [], [0, 1, 2]), threshold=0.0, least=2)
    texts = texts_of([1, 2, 1, 2, 2], [], [3], [2, 1])
    assert listed(phrases.joined(texts)) == [[4, 4, 2], [], [3], [2, 1]]
    assert listed(phrases.alone(texts)) == [[4, 4], [], [], []]
    assert phrases.joined(texts).num_ids == 5


def test_weights_of_a_sum_by_hand():
    texts = texts_of([0, 1, 1], [2], [1, 3])
    table = np.array([[1, 0], [0, 1], [5, 5], [2, 2]], dtype=np.float32)
    assert by_token(texts, np.array([1.0, 0.5, 0.0, 2.0])).sums(table).tolist() == [[1, 1], [0, 0], [4, 4.5]]
    assert places(texts) == pytest.approx([1 / 6, 3 / 6, 5 / 6, 1 / 2, 1 / 4, 3 / 4])
    of_three, of_two = inverse_document(texts, 1), inverse_document(texts, 2)
    assert of_three == pytest.approx([math.log(3), math.log(3 / 2), math.log(3), math.log(3)])
    assert of_two == pytest.approx([math.log(2), 0, math.log(2), math.log(2)])  # blocks: texts 0 and 1, text 2


def test_the_common_component_is_the_direction_of_the_greatest_squares():
    fitted_on = np.array([[3.0, 0.0, 0.0], [-3.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
    vectors = np.array([[1.0, 2.0, 3.0]])
    assert without_common(vectors, fitted_on, 1) == pytest.approx(np.array([[0.0, 2.0, 3.0]]))
    assert without_common(vectors, fitted_on, 2) == pytest.approx(np.array([[0.0, 2.0, 0.0]]))


@pytest.mark.parametrize("halves", [False, True])
def test_learned_weights_fall_for_a_token_that_every_text_has(halves: bool):
    # Token 0 is in all texts; the others are in two neighbours, or in the two halves of a text.
    drawn = np.random.default_rng(0)
    zeros = [0] * 8
    texts = texts_of(*([word, *zeros, word] if halves else [word, word + 1, *zeros] for word in range(1, 999)))
    table = drawn.standard_normal((1000, 64)).astype(np.float32)
    weights = learned(
        texts, table, groups=np.arange(1000), start=np.ones(1000), halves=halves, seed=0, num_steps=50, batch_size=16
    )
    assert weights[0] < weights[1:].min()
