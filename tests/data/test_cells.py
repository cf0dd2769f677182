import math

import pytest

from selfsent.data.cells import finite_number, label_of, score_of, shown
from selfsent.data.formats import BadRecord


@pytest.mark.parametrize("label", ["1" * 5000, "-" + "9" * 40, pytest.param(10**5000, id="int"), 10**30, 1e300])
def test_a_label_of_more_digits_than_64_bits_hold_is_a_bad_one_and_not_written_out(label: object) -> None:
    found = label_of(label)
    assert isinstance(found, BadRecord)
    assert len(found.reason) < 200


@pytest.mark.parametrize(
    ("label", "expected"), [("-" + "9" * 18, -(10**18) + 1), ("²", "²"), ("--5", "--5"), ("-", "-")]
)
def test_what_looks_like_a_number_and_is_none_is_a_name(label: str, expected: object) -> None:
    assert label_of(label) == expected


@pytest.mark.parametrize(
    "score", [10**400, pytest.param(10**5000, id="int"), "1" * 5000, math.nan, -math.inf, "nan", "1e999", None, [1]]
)
def test_a_score_that_a_float_cannot_hold_is_a_bad_one(score: object) -> None:
    assert finite_number(score) is None
    found = score_of(score)
    assert isinstance(found, BadRecord)
    assert len(found.reason) < 200


def test_a_long_value_is_cut_with_its_length() -> None:
    assert shown("x" * 60) == "x" * 60
    assert shown("x" * 61) == "x" * 60 + "... (61 characters)"
