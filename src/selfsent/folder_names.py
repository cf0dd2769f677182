"""The names in a folder, for code that refuses to write over them."""

from collections.abc import Iterable
from pathlib import Path

_NUM_SHOWN = 3


def visible_names(folder: Path) -> set[str]:
    """The names in a folder that are not hidden; empty where it is not a folder or cannot be read."""
    try:
        return {entry.name for entry in folder.iterdir() if not entry.name.startswith(".")}
    except OSError:
        return set()


def listed(names: Iterable[str]) -> str:
    """Name the first of some names, and how many more there are."""
    ordered = sorted(names)
    more = f" and {len(ordered) - _NUM_SHOWN} more" if len(ordered) > _NUM_SHOWN else ""
    return ", ".join(ordered[:_NUM_SHOWN]) + more
