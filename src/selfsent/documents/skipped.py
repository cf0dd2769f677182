"""Files of a source that could not be read, and why, in plain words."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, get_args

Reason = Literal[
    "empty",
    "no text in it (scanned?)",
    "password",
    "broken",
    "binary",
    "no permission",
    "unknown format",
    "unknown columns",
    "too large when unpacked",
    "changed while it was read",
    "reader not installed",
]
"""Why a file was not read; ``REASONS`` lists them."""

REASONS: tuple[Reason, ...] = get_args(Reason)


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A file, or a folder, that was not read (to its end).

    Args:
        file: Its path in the source, as a person would write it.
        reason: One of ``REASONS``.
        detail: What exactly was found and what helps, or nothing.
    """

    file: str
    reason: Reason
    detail: str = ""


class UnreadableError(Exception):
    """A file cannot be read: raised by a reader, counted by the walk over the files.

    Args:
        reason: One of ``REASONS``.
        detail: What exactly was found and what helps.
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason: Reason = reason
        self.detail = detail


def unread_files(skipped: Iterable[Skipped]) -> set[str]:
    """Give the files that are there and cannot be read now; one that is empty has been read."""
    return {one.file for one in skipped if one.reason != "empty"}


def is_in(file: str | None, unread: AbstractSet[str]) -> bool:
    """Tell whether a file, or a folder that it is in, could not be read."""
    if not file:
        return False
    return file in unread or any(str(folder) in unread for folder in PurePosixPath(file).parents)
