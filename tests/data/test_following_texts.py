"""Pairs of texts: what follows, what was drawn, and how often."""

import pytest

from selfsent.data import following_texts
from selfsent.data.following_texts import FollowingTexts
from selfsent.errors import UserError


def rows(num_texts: int) -> list[dict[str, str]]:
    return [{"text": str(number)} for number in range(num_texts)]


def test_half_of_the_followers_are_the_next_text_and_the_others_neither_it_nor_the_text_itself():
    pairs = FollowingTexts(rows(2000), seed=0)
    found = list(pairs)
    assert [pair["text"] for pair in found] == [str(number) for number in range(1999)]
    steps = [(int(pair["follower"]) - int(pair["text"]), pair["label"]) for pair in found]
    assert all((step == 1) == (label == 1) and step != 0 for step, label in steps)
    assert 900 < sum(label for _, label in steps) < 1100
    drawn = [step for step, label in steps if not label]
    assert min(drawn) < -1000
    assert max(drawn) > 1000
    assert pairs.note().startswith("1,999 pairs of texts, of which 5")
    assert list(pairs) == found
    assert list(FollowingTexts(rows(2000), seed=1)) != found


def test_a_corpus_of_many_blocks_is_read_block_by_block(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(following_texts, "_TEXTS_A_BLOCK", 4)
    found = list(FollowingTexts(rows(10), seed=0))
    assert [pair["text"] for pair in found] == ["0", "1", "2", "4", "5", "6"]  # the last block holds two texts
    assert all(int(pair["text"]) // 4 == int(pair["follower"]) // 4 for pair in found)


def test_too_few_texts_are_refused():
    with pytest.raises(UserError, match="at least three texts"):
        list(FollowingTexts(rows(2), seed=0))
