"""Crops against the definition: one run of words, of the right length, every position equally likely."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsent.errors import UserError
from selfsent.views import Crop

TEXTS = st.lists(st.text(min_size=1).filter(str.strip), max_size=5)


def words_of(num_words: int) -> list[str]:
    return [f"w{number}" for number in range(num_words)]


@pytest.mark.parametrize(
    ("percent", "num_words", "num_kept"),
    [(10, 4, 4), (10, 5, 4), (10, 20, 18), (20, 10, 8), (30, 10, 7), (30, 5, 3), (99, 10, 1), (50, 2, 1), (90, 1, 1)],
)
def test_a_crop_keeps_the_nearest_whole_number_of_words_in_one_run(percent: int, num_words: int, num_kept: int):
    words = words_of(num_words)
    runs = [" ".join(words[start : start + num_kept]) for start in range(num_words - num_kept + 1)]
    assert set(Crop(percent=percent)([" ".join(words)] * 200)) <= set(runs)


def test_every_run_is_equally_likely():
    random.seed(0)
    drawn = Counter(Crop(percent=30)([" ".join(words_of(10))] * 8000))
    assert len(drawn) == 4
    assert all(abs(count - 2000) < 5 * (8000 * 0.25 * 0.75) ** 0.5 for count in drawn.values())


@given(TEXTS, st.integers(1, 99))
def test_any_text_keeps_its_place_and_at_least_one_of_its_words(texts: list[str], percent: int):
    cropped = Crop(percent=percent)(texts)
    assert len(cropped) == len(texts)
    for text, kept in zip(texts, cropped, strict=True):
        assert kept.split()
        assert " ".join(kept.split()) in " ".join(text.split())


def test_a_text_that_loses_nothing_keeps_its_white_space():
    assert Crop(percent=10)(["one  two", " word "]) == ["one  two", " word "]


@pytest.mark.parametrize("percent", [0, 100, -5])
def test_a_share_that_drops_nothing_or_all_is_refused(percent: int):
    with pytest.raises(UserError, match="from 1 to 99"):
        Crop(percent=percent)
