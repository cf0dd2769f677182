"""Pairs drawn from alternative texts of one thing."""

import random
from collections import Counter
from itertools import permutations

import pytest

from selfsent.errors import UserError
from selfsent.views import Alternatives


def test_every_ordered_pair_of_two_columns_is_equally_likely():
    random.seed(0)
    columns = ["text_1", "text_2", "text_3", "text_4"]
    batch = {column: [column] * 12_000 for column in columns} | {"line": [1] * 12_000}
    views = Alternatives(columns)(batch)
    drawn = Counter(zip(views["view_a"], views["view_b"], strict=True))
    assert set(drawn) == set(permutations(columns, 2))
    assert all(abs(count - 1000) < 5 * 1000**0.5 for count in drawn.values())


def test_a_pair_differs_wherever_a_row_holds_two_texts_that_do():
    batch = {"anchor": ["same", "same"], "positive": ["same", "same"], "text_3": ["same", "other"]}
    for _ in range(20):
        views = Alternatives(["anchor", "positive", "text_3"])(batch)
        assert (views["view_a"][0], views["view_b"][0]) == ("same", "same")
        assert {views["view_a"][1], views["view_b"][1]} == {"same", "other"}


@pytest.mark.parametrize("columns", [[], ["text"], ["text", "text"]])
def test_fewer_than_two_columns_are_refused(columns: list[str]):
    with pytest.raises(UserError, match="two columns or more"):
        Alternatives(columns)


def test_a_missing_column_is_named_with_those_there_are():
    with pytest.raises(UserError, match="have the columns text_1, and the views need text_2"):
        Alternatives(["text_1", "text_2"])({"text_1": ["a"]})
