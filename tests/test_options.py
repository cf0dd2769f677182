"""Options declared once: bounds, choices, descriptions, and constructors that take them as keywords."""

import ast
import inspect
import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import pytest

from selfsent import options as options_module
from selfsent.errors import UserError
from selfsent.options import (
    Options,
    choice,
    describe,
    names_of,
    option,
    required,
    takes,
    takes_only,
    takes_two,
    whole_numbers,
)


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
    share: float = option(0.5, at_least=0, at_most=1)
    shape: str = choice("round", "round", "square")


@dataclass(frozen=True, kw_only=True)
class Rows(Options):
    """Rows of a thing."""

    num_rows: int = required(at_least=1)


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
        ({"share": 1.5}, "share=1.5 must be 0 or more and 1 or less"),
        ({"shape": "flat"}, "shape='flat' must be one of round, square"),
    ],
)
def test_a_number_out_of_its_bounds_is_refused(options: dict[str, Any], problem: str):
    with pytest.raises(UserError) as caught:
        Thing(**options)
    assert str(caught.value) == problem


def test_numbers_at_their_bounds_are_taken():
    assert Thing(width=1, dropout=0.0, limit=1, share=1) != Thing(width=1, dropout=0.0, limit=None, share=0)


def test_all_problems_are_named_together():
    with pytest.raises(UserError, match=r"width=0 .*; dropout=2.0 .*; limit=-1 "):
        Thing(width=0, dropout=2.0, limit=-1)


def test_a_value_that_is_no_choice_is_named_with_the_choices():
    (kind,) = (one for one in describe(Thing) if one.name == "kind")
    assert kind.problem("flat") == "kind='flat' must be one of round, square"
    assert kind.problem("square") == ""


def test_options_are_described_by_the_docstrings_of_the_classes_that_declare_them():
    described = {one.name: one for one in describe(Thing)}
    assert list(described) == names_of(Thing) == ["width", "dropout", "kind", "limit", "share", "shape"]
    assert described["width"].text == "Values of a row, counted from one."
    assert described["kind"].text == "Which kind."
    assert (described["width"].default, described["limit"].default) == (8, None)
    assert described["kind"].choices == described["shape"].choices == ("round", "square")


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
    with pytest.raises(UserError, match="it has width, dropout, kind, limit, share, shape"):
        Built("here", **UNKNOWN)


def test_an_option_without_a_default_must_be_given_and_is_checked() -> None:
    with pytest.raises(TypeError, match="num_rows"):
        Rows()
    with pytest.raises(UserError, match="num_rows=0 must be 1 or more"):
        Rows(num_rows=0)


@dataclass(frozen=True, kw_only=True)
class Mixed(Options):
    """What may be mixed.

    Args:
        colour: Some colours.
    """

    colour: str = choice("red", "red", "blue", "none at all", joined=("red", "blue"))


def test_some_choices_may_stand_together_with_a_plus_between_them() -> None:
    assert [Mixed(colour=colour).colour for colour in ("red+blue", "none at all")] == ["red+blue", "none at all"]
    for colour in ("red+green", "red+none at all", "red+", "+"):
        with pytest.raises(UserError, match=r"must be one of red, blue, none at all, or several with \+ between them"):
            Mixed(colour=colour)


# The public surface ---------------------------------------------------------------------------------------------------

PACKAGE = Path(options_module.__file__).parent


def takes_anything(function: ast.AST) -> bool:
    """Whether a function takes any keyword at all, so that a misspelt one is not noticed."""
    keywords = function.args.kwarg if isinstance(function, ast.FunctionDef) else None
    return keywords is not None and (keywords.annotation is None or ast.unparse(keywords.annotation) == "Any")


def public_functions_of_any_keyword() -> Iterator[tuple[str, str, str]]:
    """Yield module, class and name of each public function and method that takes any keyword."""
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(("selfsent", *path.relative_to(PACKAGE).with_suffix("").parts))
        for node in ast.parse(path.read_text("utf8")).body:
            if isinstance(node, ast.FunctionDef) and node.name[0] != "_" and takes_anything(node):
                yield module, "", node.name
            if isinstance(node, ast.ClassDef) and node.name[0] != "_":
                yield from ((module, node.name, one.name) for one in node.body if takes_anything(one))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("3,4,5", [3, 4, 5]), (" 0 , 9999", [0, 9999]), ("7", [7]), *((text, None) for text in ("", "3,,4", "-1", "1.5"))],
)
def test_whole_numbers_with_commas_between_them(text: str, numbers: list[int] | None) -> None:
    assert whole_numbers(text) == numbers


@pytest.mark.parametrize("text", ["12345", "²", "٣", "3,", "3 4", "1_0"])
def test_what_int_would_take_or_choke_on_is_no_whole_number(text: str) -> None:
    assert whole_numbers(text) is None


def overrides_the_host(module: str, owner: str, name: str) -> bool:
    """Whether a method has its keywords from a class of another package, such as a callback of the host."""
    if not owner:
        return False
    others = [kind for kind in getattr(import_module(module), owner).__mro__ if kind.__module__[:8] != "selfsent"]
    return any(name in vars(kind) for kind in others if kind is not object)


def test_nothing_public_takes_just_any_keyword() -> None:
    found = [
        (module, owner, name)
        for module, owner, name in public_functions_of_any_keyword()
        if not (name[0] == "_" and name != "__init__") and not overrides_the_host(module, owner, name)
    ]
    assert found == []
