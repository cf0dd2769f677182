"""The commands that list methods, views, suites and recipes; descriptions come from the code that declares them."""

import ast
import inspect
import sys
from collections.abc import Sequence
from dataclasses import MISSING
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from selfsent.errors import UserError, did_you_mean
from selfsent.options import PRESET, Described, describe
from selfsent.printed_text import TextTable, show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from selfsent.methods import Method

# What a listing describes is imported when it is asked for: `--help` need not wait for torch.
# ruff: noqa: PLC0415


def methods(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A method, to see its options.")] = None,
) -> None:
    """List the methods, or one method with its options, defaults and source."""
    show(*(list_method(name) if name is not None else [list_methods()]))


def views() -> None:
    """List the views that `--set view=NAME` takes."""
    show(list_views())


def suites() -> None:
    """List the suites of `evaluate`, and the settings of their protocol."""
    show(*list_suites())


def recipes() -> None:
    """List the recipes, the published number each one answers to, and the command that trains it."""
    for name, methods, num_runs, title, answers, command in _recipe_rows():
        runs = "1 run" if num_runs == "1" else f"{num_runs} runs"
        show(f"{name} ({methods}; {runs}): {title}", f"    answers to: {answers}", f"    {command}")


def list_methods() -> TextTable:
    """Make a table of the methods: names and what each of them is."""
    from selfsent.methods import METHODS

    return _table(("method", "what"), [(method.name, method.summary) for method in METHODS.values()])


def list_method(name: str) -> "list[RenderableType]":
    """Show one method: its source, its options with their values and defaults, and its training arguments.

    Args:
        name: Name of the method.

    Raises:
        UserError: There is no such method.
    """
    from selfsent.methods import METHODS

    if name not in METHODS:
        raise UserError(f"unknown method {name!r}{did_you_mean(name, METHODS)}; the methods are {', '.join(METHODS)}")
    method = METHODS[name]
    arguments = ", ".join(f"{key}={shown(value)}" for key, value in method.training(method.config()).items())
    teacher = ["Learns from a --teacher."] if method.takes_teacher else []
    return [
        f"{name}: {method.summary}",
        *source_of(method),
        *teacher,
        "",
        _options_table([*describe(method.config), *_preset_of(method)]),
        "",
        f"Training arguments (--set training.KEY=VALUE): {arguments}",
    ]


def list_views() -> TextTable:
    """Make a table of the views that ``--set view=NAME`` takes, of texts and of documents."""
    from selfsent.views import VIEWS
    from selfsent.views.document_views import DRAWS

    rows = [(name, "texts", _described(make)) for name, make in VIEWS.items()]
    rows += [(name, "documents", _described(make)) for name, make in DRAWS.items()]
    return _table(("view", "of", "what"), rows)


def list_recipes() -> TextTable:
    """Make a table of the recipes that come with the package."""
    return _table(("recipe", "method", "runs", "what", "answers to", "command"), _recipe_rows())


def _recipe_rows() -> list[tuple[str, ...]]:
    from selfsent.runs.recipe import read_recipe, shipped_recipes
    from selfsent.runs.variants import variants_of

    rows: list[tuple[str, ...]] = []
    for path in shipped_recipes().values():
        recipe = read_recipe(path)
        names = dict.fromkeys([recipe.method, *(entry.get("method", recipe.method) for entry in recipe.run)])
        num_runs = len(variants_of(recipe)) * max(len(recipe.seeds), 1)
        methods = ", ".join(filter(None, names))
        rows.append((recipe.name, methods, str(num_runs), recipe.title, recipe.answers, recipe.command()))
    return rows


def list_suites() -> "list[RenderableType]":
    """Show the suites of ``selfsent evaluate`` and the settings of their protocol."""
    from selfsent.evaluation.suite_options import SuiteOptions
    from selfsent.evaluation.suites import SUITES

    rows = [
        (name, _first_line(_docstring_of(suite)).removeprefix(f"The suite ``{name}``: "))
        for name, suite in SUITES.items()
    ]
    return [_table(("suite", "what"), rows), "", _options_table(describe(SuiteOptions))]


def source_of(method: "Method") -> list[str]:
    """The paper that a method is from: the second paragraph of its module's docstring."""
    paragraphs = inspect.cleandoc(sys.modules[method.config.__module__].__doc__ or "").split("\n\n")
    return [f"Source: {' '.join(paragraphs[1].split())}"] if len(paragraphs) > 1 else []


def _preset_of(method: "Method") -> list[Described]:
    """The setting ``preset``, of a method whose authors ran other settings than its defaults."""
    from selfsent.methods.method import PRESETS

    released = method.released
    if released is None:
        return []
    settings = {**released.options, **{f"training.{key}": value for key, value in released.training.items()}}
    listed_settings = ", ".join(f"{key}={shown(value)}" for key, value in settings.items())
    start = f", and --base must name {released.base}" if released.base else ""
    text = f"paper: the defaults above; released: what the authors' scripts ran, {listed_settings}{start}."
    return [Described(name=PRESET, kind=str, default=PRESETS[0], bounds=None, choices=PRESETS, text=text)]


def _options_table(options: Sequence[Described]) -> TextTable:
    rows = [(one.name, values_of(one), shown(one.default), one.text.replace("``", "")) for one in options]
    return _table(("option", "values", "default", "what"), rows)


def values_of(option: Described) -> str:
    """The values that an option may have: its choices, or its kind of number with the bounds."""
    if option.choices:
        several = ", or several with + between them" if option.joined else ""
        return ", ".join(map(str, option.choices)) + several
    kind = option.kind
    if option.is_optional:
        kind = next(part for part in kind.__args__ if part is not NoneType)
    word = {int: "whole number", float: "number", bool: "true, false", str: "text"}.get(kind, "list")
    return f"{word}, {option.bounds}" if option.bounds is not None else word


def shown(value: Any) -> str:
    """Write a default as a person would set it."""
    if value is MISSING:
        return ""
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _described(make: Any) -> str:
    """The first line of what a function says of itself, with the arguments that are settled in it."""
    if not isinstance(make, partial):
        return _first_line(make.__doc__ or "")
    line = _first_line(make.func.__doc__ or "")
    for name, value in make.keywords.items():
        line = line.replace(f"``{name}``", str(value))
    return line


def _docstring_of(suite: Any) -> str:
    """The docstring of the module of a suite, read without importing it."""
    (module,) = suite.args
    spec = find_spec(f"selfsent.evaluation.tasks.{module}")
    if spec is None or spec.origin is None:
        return ""
    return ast.get_docstring(ast.parse(Path(spec.origin).read_text("utf8"))) or ""


def _first_line(docstring: str) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join(inspect.cleandoc(docstring).split("\n\n")[0].split())


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> TextTable:
    table = TextTable(is_plain=True)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
