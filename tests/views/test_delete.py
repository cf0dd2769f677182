"""Deletions against the definition: how many words go, which, and that the order of the others stays."""

import random
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsent.errors import UserError
from selfsent.views import Delete, DeleteOne

TEXTS = st.lists(st.text(min_size=1).filter(str.strip), max_size=5)


def test_every_set_of_words_is_deleted_equally_often():
    random.seed(0)
    expected = {" ".join(kept) for kept in combinations("abcdefg", 5)}  # 30% of 7 words are 2.1, so 2
    drawn = Counter(Delete(percent=30)(["a b c d e f g"] * 10500))
    assert set(drawn) == expected
    assert all(abs(count - 500) < 5 * 500**0.5 for count in drawn.values())


@pytest.mark.parametrize(("percent", "num_kept"), [(10, 18), (20, 16), (30, 14), (99, 1)])
def test_the_nearest_whole_number_of_words_goes(percent: int, num_kept: int):
    text = " ".join(str(number) for number in range(20))
    assert {len(view.split()) for view in Delete(percent=percent)([text] * 50)} == {num_kept}


def test_delete_one_deletes_each_word_equally_often():
    random.seed(0)
    drawn = Counter(DeleteOne()(["a b c d"] * 8000))
    assert set(drawn) == {"b c d", "a c d", "a b d", "a b c"}
    assert all(abs(count - 2000) < 5 * (8000 * 0.25 * 0.75) ** 0.5 for count in drawn.values())


@given(TEXTS, st.integers(1, 99))
def test_what_is_left_of_any_text_is_some_of_its_words_in_order(texts: list[str], percent: int):
    for view in (Delete(percent=percent), DeleteOne()):
        thinned = view(texts)
        assert len(thinned) == len(texts)
        for text, left in zip(texts, thinned, strict=True):
            remaining = iter(text.split())
            assert left.split()
            assert all(word in remaining for word in left.split())


def test_a_text_of_one_word_is_left_as_it_is():
    assert Delete(percent=99)([" word "]) == DeleteOne()([" word "]) == [" word "]


@pytest.mark.parametrize("percent", [0, 100])
def test_a_share_that_deletes_nothing_or_all_is_refused(percent: int):
    with pytest.raises(UserError, match="from 1 to 99"):
        Delete(percent=percent)
