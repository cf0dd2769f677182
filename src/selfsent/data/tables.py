"""The tables of a source: files, or a data set, whose columns are decided together before any row is read."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfsent.data.bad_rows import BadRows, OnBadRow
from selfsent.data.columns import (
    KNOWN_COLUMNS,
    Layout,
    Picks,
    Row,
    layout_of,
    lines_of,
    listed,
    looks_like_names,
    row_of,
)
from selfsent.data.compression import format_suffixes
from selfsent.data.formats import BadRecord, NumberedLines, NumberedRecords, Record
from selfsent.errors import UserError

_MANY_LINES = 20  # of one record: told, for a quote may be closed too late
_NUM_COMPARED = 100  # rows behind a first row that may be a header


@dataclass(frozen=True)
class Table:
    """Records of one file or data set.

    Args:
        name: Goes into each row as its ``file``.
        path: Goes into error texts.
        lines: Starts a pass over all records; takes the names of the only columns that are needed, where they have
            names.
        head: Starts a pass over the first records.
    """

    name: str
    path: str
    lines: Callable[[Sequence[str] | None], NumberedLines]
    head: Callable[[], NumberedRecords]

    def first(self, on_bad_row: OnBadRow) -> Iterator[tuple[int, Record]]:
        """The first records that can be read at all, and their lines."""
        bad_rows = BadRows(on_bad_row=on_bad_row)
        for line, record in self.head():
            if isinstance(record, BadRecord):
                bad_rows.report(f"{self.path}, line {line}", record.reason)
            else:
                yield line, record


@dataclass(frozen=True)
class Tables:
    """The tables a source names, and notes on how they were found."""

    tables: list[Table]
    notes: list[str]


@dataclass(frozen=True)
class Reading:
    """How the user wants tables to be read.

    Args:
        picks: Columns by name or 1-based number.
        header: Whether the first row of a table without names of its own holds them; ``None`` decides by the row.
        on_bad_row: ``stop`` or ``skip``.
    """

    picks: Picks
    header: bool | None
    on_bad_row: OnBadRow


@dataclass(frozen=True)
class SettledTable:
    """A table and what its columns mean."""

    table: Table
    layout: Layout

    def rows(self, bad_rows: BadRows) -> Iterator[Row]:
        """Begin a pass over the rows; those left out are reported."""
        skips_header = self.layout.has_header
        wanted = None if self.layout.num_cells is not None else [str(key) for key in self.layout.keys.values()]
        for line, record in self.table.lines(wanted):
            if skips_header and record is not None and not isinstance(record, BadRecord):
                skips_header = False
                continue
            if record is None or isinstance(record, BadRecord):
                row, num_lines = record, 1
            else:
                row = row_of(record, self.layout)
                num_lines = 1 if self.layout.num_cells is None else lines_of(record)
            place = f"{self.table.path}, line {line}"
            if row is None:
                bad_rows.report_blank(place)
            elif isinstance(row, BadRecord):
                bad_rows.report(place, row.reason, num_lines=row.num_lines)
            else:
                if num_lines > _MANY_LINES:
                    bad_rows.report_long(place, num_lines)
                row["file"] = self.table.name
                row["line"] = line
                yield row


def settle(tables: Sequence[Table], reading: Reading, notes: list[str], spec: str) -> list[SettledTable]:
    """Read the first records of each table, settle its columns, and require them to be the same everywhere.

    Args:
        tables: What the source names.
        reading: How the user wants it.
        notes: Takes what the user should be told.
        spec: The source as named, for error texts.

    Returns:
        The tables that are not empty, at least one.

    Raises:
        UserError: No table holds a text, a picked column is not there, or the columns are not the same in all.
    """
    settled: list[SettledTable] = []
    for table in tables:
        first = list(itertools.islice(table.first(reading.on_bad_row), 2))
        if not first:
            continue
        settled.append(_settled(table, [record for _, record in first], first[0][0], reading))
        if settled[0].layout.columns != settled[-1].layout.columns:
            raise UserError(
                f"{spec} mixes columns: {settled[0].table.path} holds {listed(settled[0].layout.columns)} and "
                f"{table.path} holds {listed(settled[-1].layout.columns)}; keep one kind a folder, or pick with "
                "`--columns`"
            )
        notes.extend(note for note in _notes(settled[-1], first[0][1], reading) if note not in notes)
    if not settled:
        raise UserError(f"{spec} is empty: it holds no text; name a file with at least one line")
    bad_rows = BadRows(on_bad_row=reading.on_bad_row)
    if all(next(table.rows(bad_rows), None) is None for table in settled):
        reason = f"; the first bad row is {bad_rows.first}" if bad_rows.first else ""
        raise UserError(f"{spec} is empty: it holds no row with a text{reason}")
    return settled


def _settled(table: Table, records: Sequence[Record], line: int, reading: Reading) -> SettledTable:
    second = records[1] if len(records) > 1 else None
    place = f"{table.path}, line {line}"
    return SettledTable(table, layout_of(records[0], reading.picks, place, header=reading.header, second=second))


def _notes(settled: SettledTable, first: Record, reading: Reading) -> Iterator[str]:
    layout, path = settled.layout, settled.table.path
    if layout.ignored and reading.picks is None:
        yield f"columns not read: {listed(layout.ignored)} (read: {listed(layout.columns)})"
    if layout.num_cells is None:
        if reading.header is not None:
            yield f"--header is not used for {path}: its columns have names of their own"
    elif not layout.has_header and reading.header is None and _may_be_header(settled.table, first, reading):
        yield (
            f"the first row of {path} ({listed(map(str, first))}) is read as texts, not as a header: not every cell is"
            " a known column name; `--header yes` if it is one"
        )


def _may_be_header(table: Table, first: Record, reading: Reading) -> bool:
    """Whether a first row that is taken as data may name columns after all.

    One of several cells is a known name; or, in a table, all are short identifiers, and in no row of the next hundred.
    """
    if len(first) > 1 and not KNOWN_COLUMNS.isdisjoint(str(cell).strip().lower() for cell in first):
        return True
    if format_suffixes(Path(table.path))[0] == ".txt" or not looks_like_names(first):
        return False
    later = [record for _, record in itertools.islice(table.first(reading.on_bad_row), 1, 1 + _NUM_COMPARED)]
    return bool(later) and not any(looks_like_names(record) for record in later)
