"""Options declared once: bounds, choices, descriptions, and constructors that take them as keywords."""

import inspect
import math
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from selfsent.errors import UserError
from selfsent.options import Options, describe, names_of, option, takes, takes_only, takes_two


@dataclass(frozen=True, kw_only=True)
class Sizes(Options):
    """Sizes of a thing.

    Args:
        width: Values of a row,
            counted from one.
        dropout: Share of values dropped.
    """

    width: int = option(4, at_least=1)
    dropout: float = option(0.1, at_least=0, below=1)


@dataclass(frozen=True, kw_only=True)
class Thing(Sizes):
    """A thing.

    Args:
        kind: Which kind.
        limit: Rows at most.
    """

    kind: Literal["round", "square"] = "round"
    limit: int | None = option(None, above=0)
    width: int = option(8, at_least=1)


MISSPELT: Any = {"widht": 2}
UNKNOWN: Any = {"zzz": 2}


class Built:
    @takes(Thing)
    def __init__(self, place: str, options: Thing) -> None:
        self.place, self.options = place, options


class BuiltOfTwo:
    @takes_two(Thing)
    def __init__(self, place: str, number: int, options: Thing) -> None:
        self.place, self.number, self.options = place, number, options


class BuiltOfOptions:
    @takes_only(Thing)
    def __init__(self, options: Thing) -> None:
        self.options = options


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"width": 0}, "width=0 must be 1 or more"),
        ({"dropout": 1.0}, "dropout=1.0 must be 0 or more and below 1"),
        ({"dropout": math.nan}, "dropout=nan must be 0 or more and below 1"),
        ({"dropout": -0.5}, "dropout=-0.5 must be 0 or more and below 1"),
        ({"limit": 0}, "limit=0 must be above 0, or none"),
    ],
)
def test_a_number_out_of_its_bounds_is_refused(options: dict[str, Any], problem: str):
    with pytest.raises(UserError) as caught:
        Thing(**options)
    assert str(caught.value) == problem


def test_numbers_at_their_bounds_are_taken():
    assert Thing(width=1, dropout=0.0, limit=1) != Thing(width=1, dropout=0.0, limit=None)


def test_all_problems_are_named_together():
    with pytest.raises(UserError, match=r"width=0 .*; dropout=2.0 .*; limit=-1 "):
        Thing(width=0, dropout=2.0, limit=-1)


def test_a_value_that_is_no_choice_is_named_with_the_choices():
    (kind,) = (one for one in describe(Thing) if one.name == "kind")
    assert kind.problem("flat") == "kind='flat' must be one of round, square"
    assert kind.problem("square") == ""


def test_options_are_described_by_the_docstrings_of_the_classes_that_declare_them():
    described = {one.name: one for one in describe(Thing)}
    assert list(described) == names_of(Thing) == ["width", "dropout", "kind", "limit"]
    assert described["width"].text == "Values of a row, counted from one."
    assert described["kind"].text == "Which kind."
    assert (described["width"].default, described["limit"].default) == (8, None)
    assert described["kind"].choices == ("round", "square")


def test_a_part_holds_the_options_that_both_declare():
    assert Thing(width=2, dropout=0.5, kind="square").part(Sizes) == Sizes(width=2, dropout=0.5)


def test_a_constructor_takes_options_as_keywords_and_shows_them():
    built = Built("here", width=2, kind="square")
    assert (built.place, built.options) == ("here", Thing(width=2, kind="square"))
    assert BuiltOfTwo("here", 3, width=2).options == BuiltOfOptions(width=2).options == Thing(width=2)
    assert list(inspect.signature(Built).parameters) == ["place", *names_of(Thing)]
    assert inspect.signature(Built).parameters["width"].default == 8


@pytest.mark.parametrize("make", [lambda: Built("here", **MISSPELT), lambda: BuiltOfOptions(**MISSPELT)])
def test_a_keyword_that_is_no_option_is_refused_with_the_nearest(make: Any):
    with pytest.raises(UserError, match=r"has no option 'widht' \(did you mean 'width'\?\)"):
        make()


def test_a_keyword_near_none_is_refused_with_all_there_are():
    with pytest.raises(UserError, match="it has width, dropout, kind, limit"):
        Built("here", **UNKNOWN)
