"""What a method hands to the trainer, and how recipes (TOML files) name methods, options and budgets."""

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from datasets import Dataset
from sentence_transformers import SentenceTransformer
from torch import nn

from selfsent.data.heldout import split_heldout
from selfsent.data.sources import Source
from selfsent.documents.document import Document
from selfsent.errors import UserError, did_you_mean
from selfsent.training.time_limit import TimeLimit

_TYPES: Mapping[str, tuple[type, str]] = {
    "method": (str, "a text"),
    "title": (str, "a text"),
    "answers": (str, "a text"),
    "options": (dict, "a table"),
    "training": (dict, "a table"),
    "max_rows": (int, "a whole number"),
    "seed": (int, "a whole number"),
    "seeds": (list, "a list"),
    "grid": (dict, "a table of lists"),
    "run": (list, "[[run]] entries"),
    "evaluate": (str, "a text"),
}
EVALUATE_DEV = "dev"
"""What a recipe asks for to be judged by the best metric of training, so that no test set is read."""


@dataclass(frozen=True, kw_only=True)
class Ingredients:
    """What a method builds from a configuration and a source.

    Args:
        model: The untrained model.
        loss: The objective, holding the model.
        dataset: Training rows in the columns the loss takes.
        heldout: Rows kept out of training for the held-out loss; ``None`` where none were asked for.
        notes: What the user should be told about data and vocabulary.
        max_seq_length: Tokens a training text is cut to, special ones included; ``None``: as many as the model reads.
    """

    model: SentenceTransformer
    loss: nn.Module
    dataset: Dataset
    heldout: Dataset | None = None
    notes: Sequence[str] = ()
    max_seq_length: int | None = None


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """Where and on what a method builds.

    Args:
        source: The texts.
        documents: The documents they are of, where the method reads documents.
        folder: A folder of the run, for the corpus file a training maps into memory.
        heldout_rows: Rows to keep out of training; 0 for none.
        base: ``--base``: path or name of a model to start from.
        teacher: ``--teacher``: path or name of a model to learn from.
        seed: Seed of the run, for choices made while building.
        device: Where to put the model.
        limit: When the run should be over.
    """

    source: Source
    folder: Path
    documents: Iterable[Document] | None = None
    heldout_rows: int = 0
    base: str | None = None
    teacher: str | None = None
    seed: int = 0
    device: str | None = None
    limit: TimeLimit = field(default_factory=TimeLimit)


def split_for(assembly: Assembly, dataset: Dataset) -> tuple[Dataset, Dataset | None]:
    """Keep rows for the held-out loss where an assembly asks for them: a twentieth, or two: a contrast needs them."""
    if not assembly.heldout_rows:
        return dataset, None
    num_rows = min(assembly.heldout_rows, max(len(dataset) // 20, 2), max(len(dataset) - 1, 1))
    return split_heldout(dataset, num_rows=num_rows)


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method by its name on the command line.

    Args:
        name: ``self-strae`` and so on.
        summary: One line for people.
        config: The frozen dataclass of its options; defaults are the paper's.
        build: Builds the ingredients.
        training: The paper's training arguments for a configuration, as fields of the host's training arguments.
        takes_teacher: Whether it learns from a ``--teacher``.
        reads_documents: Whether, with a configuration, it learns from documents and not from texts.
    """

    name: str
    summary: str
    config: type[Any]
    build: Callable[[Any, Assembly], Ingredients]
    training: Callable[[Any], dict[str, Any]]
    takes_teacher: bool = False
    reads_documents: Callable[[Any], bool] = lambda _: False


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a TOML file states: one run, or a base that ``grid`` or ``run`` and ``seeds`` make many runs of.

    Args:
        name: The file's stem, or the method's name.
        method: Name of the method.
        title: One line for people.
        answers: Which published number it answers to.
        options: The method's own options.
        training: Fields of the host's training arguments.
        max_rows: Rows of the source to use; ``None`` for all.
        seed: Seed of the run; ``None`` for the default.
        seeds: Every run is done with each of these seeds; empty for the one ``seed``.
        grid: Lists by option or ``training.KEY``; every combination is a run.
        run: Named runs: ``name``, and the ``method``, ``options``, ``training`` and ``max_rows`` that differ from the
            base.
        evaluate: What a table of many runs shows: ``dev``, the best metric of training, or suites with commas between
            them.
    """

    name: str
    method: str = ""
    title: str = ""
    answers: str = ""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    training: Mapping[str, Any] = field(default_factory=dict[str, Any])
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


def find_recipe(method_or_recipe: str, methods: Mapping[str, Method]) -> Recipe:
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
