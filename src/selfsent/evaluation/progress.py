"""Progress of an evaluation: a bar on a terminal once something takes over two seconds, nothing anywhere else."""

from collections.abc import Iterable
from typing import Any, TypeVar

from tqdm.auto import tqdm

from selfsent.printed_text import visible

T = TypeVar("T")

_AFTER_S = 2.0


def progress_bar(items: Iterable[T] | None = None, *, what: str, unit: str, total: int | None = None) -> "tqdm[T]":
    """Make a bar that iterates over ``items``, or is told with ``update`` how far ``total`` has come.

    Args:
        items: What is done one after the other.
        what: What is being done.
        unit: What one item is.
        total: How many items there are, where they are not given or do not know.
    """
    bar: Any = tqdm(items, desc=visible(what), unit=unit, total=total, delay=_AFTER_S, leave=False, disable=None)
    return bar
