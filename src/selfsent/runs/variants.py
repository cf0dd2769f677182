"""The single runs that a recipe with ``[grid]``, ``[[run]]`` or ``seeds`` stands for."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from selfsent.errors import UserError
from selfsent.options import SEED_RANGE, is_seed, shortened
from selfsent.runs.recipe import Recipe, split_settings

_RUN_KEYS: Mapping[str, type] = {
    "name": str,
    "method": str,
    "options": dict,
    "training": dict,
    "data": str,
    "columns": list,
    "base": str,
    "teacher": str,
    "max_rows": int,
}
_REPLACED = ("method", "data", "columns", "base", "teacher", "max_rows")
"""Keys of a run that take the place of the recipe's."""
_NOT_IN_A_NAME = re.compile(r"[^\w.=,+-]+")
_LONGEST_NAME = 150  # characters; file systems end at 255 bytes


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One line of a table: what its runs have in common, whatever their seed.

    Args:
        name: Unlike any other of the table; names the folders of its runs.
        settings: What distinguishes it from the base, by option or ``training.KEY``.
        recipe: The recipe of one of its runs, without a seed.
    """

    name: str
    recipe: Recipe
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def folder(self, seed: int) -> str:
        """Name the folder of the run with this seed."""
        return f"{self.name}-seed{seed}"

    def with_seed(self, seed: int) -> Recipe:
        """Give the recipe of one run."""
        return replace(self.recipe, name=self.folder(seed), seed=seed)


def variants_of(recipe: Recipe) -> list[Variant]:
    """Spell out a recipe: one variant a combination of ``[grid]`` or a ``[[run]]``, in the order written.

    Raises:
        UserError: An entry is not as needed, or two runs have one name. All problems are named together.
    """
    base = replace(recipe, seeds=(), grid={}, run=())
    problems = _seed_problems(recipe.seeds)
    if recipe.grid:
        problems += _grid_problems(recipe.grid)
    problems += [
        problem for number, entry in enumerate(recipe.run, 1) for problem in _run_problems(number, entry, base)
    ]
    if problems:
        raise UserError(f"the recipe {recipe.name}: {'; '.join(problems)}")
    if recipe.grid:
        variants = _combinations(recipe.grid, base)
    else:
        variants = [_named(entry, base) for entry in recipe.run] or [Variant(name=recipe.name, recipe=base)]
    problems = _name_problems([variant.name for variant in variants])
    if problems:
        raise UserError(f"the recipe {recipe.name}: {'; '.join(problems)}")
    return variants


def _seed_problems(seeds: Sequence[Any]) -> list[str]:
    if not all(map(is_seed, seeds)):
        return [f"seeds = [{', '.join(map(shortened, seeds))}] and needs whole numbers {SEED_RANGE}"]
    if len(set(seeds)) < len(seeds):
        return [f"seeds = {list(seeds)} names a seed twice; name each once"]
    return []


def _grid_problems(grid: Mapping[str, Any]) -> list[str]:
    problems: list[str] = []
    for key, values in grid.items():
        if isinstance(values, dict):
            inner = next(iter(values), "KEY")
            problems.append(f'[grid] {key} is a table; write the key in quotes, "{key}.{inner}" = [...]')
        elif not isinstance(values, list) or not values:
            problems.append(f"[grid] {key} = {values!r} and needs a list with at least one value")
        elif any(value in values[:place] for place, value in enumerate(values)):
            problems.append(f"[grid] {key} = {values} has a value twice; name each once")
    return problems


def _run_problems(number: int, entry: Any, base: Recipe) -> list[str]:
    if not isinstance(entry, dict):
        return [f"run = [{entry!r}, ...] and needs [[run]] entries"]
    place = f"[[run]] {number}"
    unknown = sorted(entry.keys() - _RUN_KEYS.keys())
    problems = (
        [f"{place} has unknown keys {', '.join(unknown)} (it may have {', '.join(_RUN_KEYS)})"] if unknown else []
    )
    problems += [
        f"{place} has {key} = {entry[key]!r} and needs a {kind.__name__}"
        for key, kind in _RUN_KEYS.items()
        if key in entry and (not isinstance(entry[key], kind) or isinstance(entry[key], bool))
    ]
    if not entry.get("name"):
        problems.append(f'{place} has no name; add name = "..."')
    elif isinstance(entry["name"], str) and _NOT_IN_A_NAME.search(entry["name"]):
        problems.append(f"{place} has name = {entry['name']!r}; it names folders: letters, digits and . = , + - _ only")
    if not (base.method or entry.get("method")):
        problems.append(f"{place} names no method, and neither does the recipe")
    return problems


def _name_problems(names: Sequence[str]) -> list[str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    problems = [f"two runs are named {name}; give each [[run]] a name of its own" for name in twice]
    if any(len(name) > _LONGEST_NAME for name in names):
        problems.append("the names of its runs are too long for folders; write the combinations as [[run]] entries")
    return problems


def _combinations(grid: Mapping[str, Sequence[Any]], base: Recipe) -> list[Variant]:
    labels = {key: key.removeprefix("training.") for key in grid}
    variants: list[Variant] = []
    for values in itertools.product(*grid.values()):
        settings = dict(zip(grid, values, strict=True))
        options, training = split_settings(settings)
        recipe = replace(base, options={**base.options, **options}, training={**base.training, **training})
        name = ",".join(f"{labels[key]}={_NOT_IN_A_NAME.sub('_', str(value))}" for key, value in settings.items())
        variants.append(Variant(name=name, settings=settings, recipe=recipe))
    return variants


def _named(entry: Mapping[str, Any], base: Recipe) -> Variant:
    options, training = entry.get("options", {}), entry.get("training", {})
    own = {"columns": None, **entry} if "data" in entry else entry  # the recipe's columns are those of its data
    recipe = replace(
        base,
        options={**base.options, **options},
        training={**base.training, **training},
        **{key: own.get(key, getattr(base, key)) for key in _REPLACED},
    )
    settings = {key: entry[key] for key in _REPLACED if key in entry}
    settings |= options | {f"training.{key}": value for key, value in training.items()}
    return Variant(name=entry["name"], settings=settings, recipe=recipe)
