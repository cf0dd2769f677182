"""Files of a source that could not be read, and why, in plain words."""

from dataclasses import dataclass
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
