"""Mixtures: one view drawn for each text; and views that leave nothing of a text."""

import random
from collections import Counter

import pytest

from selfsent.errors import UserError
from selfsent.views import Crop, Mixture, Repeat, make_view
from selfsent.views.mixture import NeverEmpty


def shouted(texts: list[str]) -> list[str]:
    return [text.upper() for text in texts]


def backwards(texts: list[str]) -> list[str]:
    return [text[::-1] for text in texts]


def test_every_text_is_made_by_one_of_the_views_each_about_as_often():
    random.seed(0)
    texts = [f"text {number}" for number in range(3000)]
    made = Mixture((shouted, backwards, Repeat()))(texts)
    ways = Counter(
        {text.upper(): "shouted", text[::-1]: "backwards", text: "repeat"}[found]
        for text, found in zip(texts, made, strict=True)
    )
    assert set(ways) == {"shouted", "backwards", "repeat"}
    assert all(900 < count < 1100 for count in ways.values())


def test_views_are_drawn_by_hand_as_the_random_numbers_say():
    random.seed(1)
    shares = [random.random() for _ in range(4)]
    random.seed(1)
    texts = ["one", "two", "three", "four"]
    expected = [text.upper() if share < 0.5 else text[::-1] for text, share in zip(texts, shares, strict=True)]
    assert Mixture((shouted, backwards))(texts) == expected
    assert len({share < 0.5 for share in shares}) == 2


def test_names_with_a_plus_between_them_are_a_mixture():
    mixed = make_view("crop-20+repeat")
    assert mixed == Mixture((Crop(percent=20), Repeat()))
    with pytest.raises(UserError, match=r"unknown view 'crop-15' \(did you mean 'crop-10'"):
        make_view("repeat+crop-15")


def test_one_view_is_no_mixture():
    with pytest.raises(UserError, match="two views or more, got 1"):
        Mixture((Repeat(),))


def test_a_view_that_leaves_nothing_leaves_the_text():
    assert NeverEmpty(lambda _: ["", " ", "c"])(["a", "b", "x"]) == ["a", "b", "c"]
