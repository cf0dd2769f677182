"""What a method hands to the trainer, and how recipes (TOML files) name methods, options and budgets."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from datasets import Dataset
from sentence_transformers import SentenceTransformer
from torch import nn

from selfsent.data.sources import Source
from selfsent.errors import UserError

_KEYS = {"method", "title", "answers", "options", "training", "max_rows", "seed"}


@dataclass(frozen=True, kw_only=True)
class Ingredients:
    """What a method builds from a configuration and a source.

    Args:
        model: The untrained model.
        loss: The objective, holding the model.
        dataset: Training rows in the columns the loss takes.
        heldout: Rows kept out of training for the held-out loss; ``None`` where none were asked for.
        notes: What the user should be told about data and vocabulary.
    """

    model: SentenceTransformer
    loss: nn.Module
    dataset: Dataset
    heldout: Dataset | None = None
    notes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """Where and on what a method builds.

    Args:
        source: The texts.
        folder: A folder of the run, for the corpus file a training maps into memory.
        heldout_rows: Rows to keep out of training; 0 for none.
        base: ``--base``: path or name of a model to start from.
        device: Where to put the model.
    """

    source: Source
    folder: Path
    heldout_rows: int = 0
    base: str | None = None
    device: str | None = None


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method by its name on the command line.

    Args:
        name: ``self-strae`` and so on.
        summary: One line for people.
        config: The frozen dataclass of its options; defaults are the paper's.
        build: Builds the ingredients.
        training: The paper's training arguments for a configuration, as fields of the host's training arguments.
    """

    name: str
    summary: str
    config: type[Any]
    build: Callable[[Any, Assembly], Ingredients]
    training: Callable[[Any], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One run as a TOML file states it.

    Args:
        name: The file's stem, or the method's name.
        method: Name of the method.
        title: One line for people.
        answers: Which published number it answers to.
        options: The method's own options.
        training: Fields of the host's training arguments.
        max_rows: Rows of the source to use; ``None`` for all.
        seed: Seed of the run; ``None`` for the default.
    """

    name: str
    method: str
    title: str = ""
    answers: str = ""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    training: Mapping[str, Any] = field(default_factory=dict[str, Any])
    max_rows: int | None = None
    seed: int | None = None


def read_recipe(path: Path) -> Recipe:
    """Read a recipe file.

    Raises:
        UserError: It is missing, not TOML, lacks ``method``, or has a key that no recipe has.
    """
    try:
        table = tomllib.loads(path.read_text("utf8"))
    except OSError as error:
        raise UserError(f"cannot read the recipe {path}: {error.strerror}; see `selfsent recipes`") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"the recipe {path} is not valid TOML: {error}") from error
    unknown = sorted(set(table) - _KEYS)
    if unknown or "method" not in table:
        problem = f"has unknown keys {', '.join(unknown)}" if unknown else "names no method"
        raise UserError(f"the recipe {path} {problem}; a recipe has method and may have {', '.join(sorted(_KEYS))}")
    return Recipe(name=path.stem, **table)


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
        f"{method_or_recipe!r} is no method and no recipe; the methods are {', '.join(methods)},"
        " a recipe is a .toml file or a name that `selfsent recipes` lists"
    )
