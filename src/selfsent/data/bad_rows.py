"""Count what one pass over a source leaves out: rows that cannot be used, and rows without a text."""

from typing import Literal

from selfsent.errors import UserError

OnBadRow = Literal["stop", "skip"]


class BadRows:
    """Count what a pass leaves out, or stop at the first row that cannot be used.

    Args:
        on_bad_row: ``stop`` or ``skip``.
    """

    def __init__(self, *, on_bad_row: OnBadRow) -> None:
        self.on_bad_row: OnBadRow = on_bad_row
        self.num_bad_rows = self.num_bad_lines = self.num_blank_rows = 0
        self.first: str | None = None
        self.first_blank: str | None = None
        self.longest: tuple[int, str] = (0, "")

    def report(self, place: str, reason: str, *, num_lines: int = 1) -> None:
        """Stop with a ``UserError`` that names the place, or count the row.

        Args:
            place: File and line.
            reason: What is wrong with the row.
            num_lines: How many lines of the file are lost with it.
        """
        message = f"{place}: {reason}"
        if self.on_bad_row == "stop":
            raise UserError(f"{message}; correct the row, or leave bad rows out with `--on-bad-row skip`")
        self.num_bad_rows += 1
        self.num_bad_lines += num_lines
        self.first = self.first or message

    def report_blank(self, place: str) -> None:
        """Count a row without a text: it is not an error, but rows and lines no longer have the same numbers."""
        self.num_blank_rows += 1
        self.first_blank = self.first_blank or place

    def report_long(self, place: str, num_lines: int) -> None:
        """Remember the longest record of many lines: it may be a cell of many, or a quote that was closed too late."""
        self.longest = max(self.longest, (num_lines, place))

    def add(self, other: "BadRows") -> None:
        """Count what another pass left out of a later part."""
        self.num_bad_rows += other.num_bad_rows
        self.num_bad_lines += other.num_bad_lines
        self.num_blank_rows += other.num_blank_rows
        self.first = self.first or other.first
        self.first_blank = self.first_blank or other.first_blank
        self.longest = max(self.longest, other.longest)

    def notes(self) -> list[str]:
        """Say how many rows were left out, and which was the first."""
        notes: list[str] = []
        if self.num_bad_rows:
            lines = f" ({self.num_bad_lines:,} lines)" if self.num_bad_lines > self.num_bad_rows else ""
            notes.append(f"{_counted(self.num_bad_rows, 'bad row')}{lines} left out, the first: {self.first}")
        if self.num_blank_rows:
            notes.append(f"{_counted(self.num_blank_rows, 'blank row')} left out, the first: {self.first_blank}")
        num_lines, place = self.longest
        if num_lines:
            notes.append(
                f"{place}: the record spans {num_lines:,} lines; if it should be one line, a quote in it is closed too"
                " late"
            )
        return notes


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' if number != 1 else ''}"
