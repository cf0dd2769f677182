"""Recipes: TOML files that name a method, its options, its budget and what it reads; and the settings beside them."""

import json
import os
import shlex
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from selfsent.errors import UserError, did_you_mean

_TYPES: Mapping[str, tuple[type, str]] = {
    "method": (str, "a text"),
    "title": (str, "a text"),
    "answers": (str, "a text"),
    "options": (dict, "a table"),
    "training": (dict, "a table"),
    "data": (str, "a text"),
    "columns": (list, "a list"),
    "base": (str, "a text"),
    "teacher": (str, "a text"),
    "max_rows": (int, "a whole number"),
    "seed": (int, "a whole number"),
    "seeds": (list, "a list"),
    "grid": (dict, "a table of lists"),
    "run": (list, "[[run]] entries"),
    "evaluate": (str, "a text"),
}
_TRAINING_PREFIX = "training."
_DATA_VARIABLE = "$SELFSENT_DATA"
EVALUATE_DEV = "dev"
"""What a recipe asks for to be judged by the best metric of training, so that no test set is read."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a TOML file states: one run, or a base that ``grid`` or ``run`` and ``seeds`` make many runs of.

    Args:
        name: The file's stem, or the method's name.
        method: Name of the method.
        title: One line for people.
        answers: Which published number it answers to.
        options: The method's own options.
        training: Arguments of the trainer by name.
        data: The source: a path below ``$SELFSENT_DATA``, ``hf:...`` or ``docs:``; ``None`` where ``--data`` names it.
        columns: Columns of that source by name or 1-based number; ``None`` takes those that the source has.
        base: Model to start from: a folder below ``$SELFSENT_MODELS``, or a hub name; ``None`` takes the method's.
        teacher: Model to learn from, named alike.
        max_rows: Rows of the source to use; ``None`` for all.
        seed: Seed of the run; ``None`` for the default.
        seeds: Every run is done with each of these seeds; empty for the one ``seed``.
        grid: Lists by option or ``training.KEY``; every combination is a run.
        run: Named runs: ``name``, and the ``method``, ``options``, ``training``, ``data``, ``columns``, ``base``,
            ``teacher`` and ``max_rows`` that differ from the rest. Data without columns takes those that it has.
        evaluate: What a table of many runs shows: ``dev``, the best metric of training, or suites with commas between
            them.
    """

    name: str
    method: str = ""
    title: str = ""
    answers: str = ""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    training: Mapping[str, Any] = field(default_factory=dict[str, Any])
    data: str | None = None
    columns: Sequence[str | int] | None = None
    base: str | None = None
    teacher: str | None = None
    max_rows: int | None = None
    seed: int | None = None
    seeds: Sequence[int] = ()
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict[str, Sequence[Any]])
    run: Sequence[Mapping[str, Any]] = ()
    evaluate: str = EVALUATE_DEV

    @property
    def has_many_runs(self) -> bool:
        """Whether it makes a table of runs rather than one."""
        return bool(self.grid or self.run or self.seeds)

    def command(self) -> str:
        """The command that trains it; what a person has to name stands in capitals."""
        words = ["selfsent", "train", self.name]
        if self.data is None and not (self.run and all("data" in run for run in self.run)):
            words += ["--data", "DATA"]
        return shlex.join([*words, "--output", f"runs/{self.name}"])


def data_of(recipe: Recipe, data: str | Path | None) -> str | Path:
    """What a run of a recipe reads.

    Args:
        recipe: The recipe.
        data: The source that was named; ``None`` takes the recipe's.

    Raises:
        UserError: Neither names one, or the recipe's is not there.
    """
    if data is not None:
        return data
    if recipe.data is None:
        raise UserError(
            f"{recipe.name} names no data of its own; name the source with --data, such as --data notes.txt"
        )
    return place_of_data(recipe.data, recipe.name)


def place_of_data(data: str, recipe: str) -> str:
    """Where the source is that a recipe names.

    Args:
        data: A path below ``$SELFSENT_DATA``, or a source that is no path (``hf:...``, ``docs:``, ``parallel:...``), in
            which the variable may stand.
        recipe: Name of the recipe.

    Raises:
        UserError: It is a path or holds the variable, and there is no such variable or nothing at that path.
    """
    folder = os.environ.get("SELFSENT_DATA")
    is_path = ":" not in data
    if (is_path and Path(data).expanduser().is_absolute()) or not (is_path or _DATA_VARIABLE in data):
        return data
    if not folder:
        raise UserError(
            f"the recipe {recipe} reads {data} below $SELFSENT_DATA, which is not set; set it, or give --data"
        )
    if not is_path:
        return data.replace(_DATA_VARIABLE, folder)
    place = Path(folder).expanduser() / data
    if not place.exists():
        raise UserError(f"the recipe {recipe} reads {data} below $SELFSENT_DATA, and {place} is not there; give --data")
    return str(place)


def place_of_model(name: str) -> str:
    """Where the model is that a recipe names: a folder below ``$SELFSENT_MODELS`` where there is one, else as it is."""
    folder = os.environ.get("SELFSENT_MODELS")
    place = Path(folder or ".").expanduser() / name
    return str(place) if folder and place.is_dir() else name


def read_recipe(path: Path) -> Recipe:
    """Read a recipe file.

    Raises:
        UserError: It is missing, not TOML, lacks ``method``, has a key that no recipe has or a value of another type,
            or keys that exclude each other. All problems are named together.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise UserError(f"cannot read the recipe {path}: {error.strerror}; see `selfsent recipes`") from error
    except ValueError as error:  # not TOML, not UTF-8, or a number of thousands of digits
        raise UserError(f"the recipe {path} is not valid TOML: {error}") from error
    problems = _problems(table)
    if problems:
        raise UserError(f"the recipe {path} {'; '.join(problems)}")
    return Recipe(name=path.stem, **table)


def _problems(table: Mapping[str, Any]) -> list[str]:
    """What is wrong with the top level of a recipe."""
    unknown = sorted(table.keys() - _TYPES.keys())
    problems = [f"has unknown keys {', '.join(unknown)} (a recipe may have {', '.join(_TYPES)})"] if unknown else []
    problems += [
        f"has {key} = {table[key]!r} and needs {needed}"
        for key, (kind, needed) in _TYPES.items()
        if key in table and (not isinstance(table[key], kind) or isinstance(table[key], bool))
    ]
    if "method" not in table and not table.get("run"):
        problems.append('names no method, such as method = "self-strae"')
    if "grid" in table and "run" in table:
        problems.append("has both [grid] and [[run]]; write the combinations as one of them")
    problems += [
        f"has an empty {key}; fill it or leave it out" for key in ("grid", "run", "seeds") if table.get(key) in ({}, [])
    ]
    if "seed" in table and "seeds" in table:
        problems.append("has both seed and seeds; leave one out")
    if "evaluate" in table and not table.keys() & {"grid", "run", "seeds"}:
        problems.append("has evaluate, which is for many runs; add seeds, [grid] or [[run]], or leave it out")
    return problems


def shipped_recipes() -> dict[str, Path]:
    """The recipes that come with the package, by name."""
    installed = Path(str(resources.files("selfsent"))) / "recipes"
    folder = installed if installed.is_dir() else Path(__file__).parents[3] / "recipes"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find_recipe(method_or_recipe: str, methods: Collection[str]) -> Recipe:
    """Find what ``selfsent train`` was given: a method's name, a recipe's name, or the path of a recipe.

    Raises:
        UserError: It is none of these.
    """
    if method_or_recipe in methods:
        return Recipe(name=method_or_recipe, method=method_or_recipe)
    shipped = shipped_recipes()
    if method_or_recipe in shipped:
        return read_recipe(shipped[method_or_recipe])
    if method_or_recipe.endswith(".toml"):
        return read_recipe(Path(method_or_recipe).expanduser())
    raise UserError(
        f"unknown method or recipe {method_or_recipe!r}{did_you_mean(method_or_recipe, [*methods, *shipped])}; the"
        f" methods are {', '.join(methods)}, a recipe is a .toml file or a name that `selfsent recipes` lists"
    )


def parse_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """Read ``--set key=value`` options; a value is JSON where it reads as JSON, else a string.

    Raises:
        UserError: An assignment has no ``=`` or no key, or a key comes twice.
    """
    settings: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        key = key.strip()
        if not equals or not key:
            raise UserError(f"--set {assignment!r} is not of the form key=value, such as temperature=0.05")
        if key in settings:
            raise UserError(f"--set gives {key} twice; leave one out")
        settings[key] = _value(value.strip())
    return settings


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # also a number of thousands of digits, or brackets without an end
        return text


def split_settings(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part a method's own options from the host's training arguments (``training.KEY``)."""
    is_training = {key: key.startswith(_TRAINING_PREFIX) for key in settings}
    options = {key: value for key, value in settings.items() if not is_training[key]}
    training = {key.removeprefix(_TRAINING_PREFIX): value for key, value in settings.items() if is_training[key]}
    return options, training
