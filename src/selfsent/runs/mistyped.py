"""What ``train`` is asked for by a wrong name, found by names alone: before the seconds that importing torch takes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from selfsent.data.sources import refuse_missing_source
from selfsent.errors import UserError
from selfsent.loading import refuse_missing, refuse_no_model
from selfsent.options import PRESET, unknown_setting
from selfsent.runs.recipe import Recipe, data_of, find_recipe, split_settings
from selfsent.runs.train_options import OPTIONS_OF


def refuse_mistyped(
    method: str, data: str | Path | None, settings: Mapping[str, Any], *, base: str | None, teacher: str | None
) -> None:
    """Refuse a method, recipe, option, source or model that is not there.

    Values are checked later, with what only torch and the methods themselves know.

    Args:
        method: A method's name, a recipe's name, or the path of a recipe.
        data: The source; ``None`` takes the recipe's.
        settings: What ``--set`` sets.
        base: Model to start from, if one was named.
        teacher: Model to learn from, if one was named.

    Raises:
        UserError: One of them is not there.
    """
    recipe = find_recipe(method, OPTIONS_OF)
    if not recipe.has_many_runs:  # a table that is finished needs no data
        _refuse_unknown(recipe, split_settings(settings)[0])
        refuse_missing_source(data_of(recipe, data))
    if base is not None:
        refuse_missing(base)
    if teacher is not None:
        refuse_no_model(teacher)


def _refuse_unknown(recipe: Recipe, options: Mapping[str, Any]) -> None:
    known = OPTIONS_OF.get(recipe.method, "").split()
    unknown = [name for name in {**recipe.options, **options} if name not in {PRESET, *known}]
    if known and unknown:
        raise UserError("; ".join(unknown_setting(name, known, recipe.method) for name in unknown))
