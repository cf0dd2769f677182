"""Sources: one way to open whatever holds texts, and to read it as rows, streaming, as often as wanted.

A source is a file or a folder of files, a data set of the Hugging Face hub (``hf:NAME``), or the embedded corpus
(``docs:``). What its columns mean is settled when it is opened, so a mistake shows before anything is computed.
"""

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfsent.data.bad_rows import BadRows, OnBadRow
from selfsent.data.columns import KNOWN_COLUMNS, NOT_TEXTS, Layout, Picks, Row, layout_of, row_of
from selfsent.data.formats import KNOWN_NAMES, BadRecord, NumberedRecords, Record, is_readable, read_records
from selfsent.data.parallel_formats import is_parallel
from selfsent.errors import UserError

RowReader = Callable[[BadRows], Iterator[Row]]


class Source:
    """Rows of text from one place, read anew at every iteration and never held in memory as a whole.

    Iterating yields rows: a dict of the canonical ``columns`` (stripped texts; ``label`` a name or an integer;
    ``score`` a float), followed by the ``provenance_columns`` that tell where the row came from.

    Args:
        spec: What the user named.
        columns: Canonical names, in order.
        provenance_columns: Further names in each row: ``file`` and ``line``, or ``package`` and ``qualified_name``.
        read: Begins one pass over the rows.
        notes: What the user should be told once, such as columns that are not read.
        on_bad_row: ``stop`` raises at the first bad row, ``skip`` counts them.
        max_rows: Read no more good rows than this; ``None`` reads all.
    """

    def __init__(
        self,
        *,
        spec: str,
        columns: tuple[str, ...],
        provenance_columns: tuple[str, ...],
        read: RowReader,
        notes: Sequence[str] = (),
        on_bad_row: OnBadRow = "stop",
        max_rows: int | None = None,
    ) -> None:
        self.spec = spec
        self.columns = columns
        self.provenance_columns = provenance_columns
        self.notes = list(notes)
        self.max_rows = max_rows
        self._read = read
        self._bad_rows = self._fullest = BadRows(on_bad_row=on_bad_row)
        self._sha256: str | None = None

    def __iter__(self) -> Iterator[Row]:
        self._fullest = self._fuller()
        self._bad_rows = BadRows(on_bad_row=self._bad_rows.on_bad_row)
        digest = hashlib.sha256(json.dumps(self.columns).encode())
        for row in itertools.islice(self._read(self._bad_rows), self.max_rows):
            if self._sha256 is None:
                digest.update(json.dumps([row[column] for column in self.columns]).encode())
            yield row
        self._sha256 = self._sha256 or digest.hexdigest()

    def __repr__(self) -> str:
        return f"Source({self.spec!r}, columns={self.columns})"

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The columns that hold texts: all but ``label`` and ``score``."""
        return tuple(column for column in self.columns if column not in NOT_TEXTS)

    @property
    def num_bad_rows(self) -> int:
        """How many rows the latest pass left out, as far as it went."""
        return self._bad_rows.num_bad_rows

    @property
    def first_bad_row(self) -> str | None:
        """Place and reason of the first row the latest pass left out."""
        return self._bad_rows.first

    def closing_notes(self) -> list[str]:
        """Say everything a person should be told of the source: print it once, after the work that read it.

        Returns:
            ``notes``, then how many bad and blank rows were left out and which was the first, in the pass that met
            most of them (a pass need not go to the end).
        """
        return [*self.notes, *self._fuller().notes()]

    def _fuller(self) -> BadRows:
        """Of the latest pass and the fullest one before it, the one that left out more."""
        return max(self._bad_rows, self._fullest, key=lambda rows: rows.num_bad_rows + rows.num_blank_rows)

    def texts(self) -> Iterator[str]:
        """Yield every text of every row, in order."""
        columns = self.text_columns
        for row in self:
            for column in columns:
                yield str(row[column])

    def sha256(self) -> str:
        """Hash the content of the rows: columns and values, not where they stand nor how they are stored.

        Returns:
            64 hexadecimal digits, equal for a file and its compressed copy. Free after a whole pass, else it takes one.
        """
        if self._sha256 is None:
            for _ in self:
                pass
        assert self._sha256 is not None, "a whole pass leaves a hash"  # noqa: S101 our own invariant
        return self._sha256


def open_source(
    spec: str | Path,
    *,
    columns: Sequence[str | int] | None = None,
    on_bad_row: OnBadRow = "stop",
    max_rows: int | None = None,
) -> Source:
    """Open what holds texts: a file, a folder, ``hf:NAME[:config][:split]`` or ``docs:[train|heldout]``.

    The formats are ``.txt`` (one text a line), ``.jsonl``, ``.csv`` (quoted), ``.tsv`` (never quoted) and ``.parquet``,
    each also ``.gz``, ``.xz`` or ``.zst``. The columns are named sets (``text``; ``anchor, positive[, negative]``;
    ``premise, hypothesis, label``; ``sentence1, sentence2, score``; ``source, target``; language codes), or count by
    position: one text, a pair, a triplet, four and more alternative texts ``text_1 ... text_n`` of one thing.

    Args:
        spec: What to open.
        columns: Columns by name or 1-based number, in the order wanted; default: what names or positions say.
        on_bad_row: ``stop`` raises at the first row that cannot be used, ``skip`` counts such rows.
        max_rows: Read at most this many rows, at least 1; default all.

    Returns:
        The source. The first row has been read, so its columns are settled.

    Raises:
        UserError: There is no such source, it is empty, binary or unreadable, or it lacks the columns.
    """
    if max_rows is not None and max_rows < 1:
        raise UserError(f"got max_rows {max_rows}; at least 1 row is needed")
    if on_bad_row not in ("stop", "skip"):
        raise UserError(f"got on_bad_row {on_bad_row!r}; it is `stop` or `skip`")
    if columns is not None and not columns:
        raise UserError("got an empty list of columns; name at least one, or leave the option out")
    name = str(spec)
    if is_parallel(name):
        from selfsent.data.parallel_sources import open_parallel  # noqa: PLC0415 it builds on this module

        return open_parallel(name, columns=columns, on_bad_row=on_bad_row, max_rows=max_rows)
    if name.startswith("docs:"):
        return _open_docs(name, max_rows)
    opened = _hub_tables(name) if name.startswith("hf:") else _file_tables(Path(spec).expanduser())
    notes = list(opened.notes)
    settled = _settle(opened.tables, columns, on_bad_row, notes, name)
    return Source(
        spec=name,
        columns=settled[0].layout.columns,
        provenance_columns=("file", "line"),
        read=lambda bad_rows: itertools.chain.from_iterable(table.rows(bad_rows) for table in settled),
        notes=notes,
        on_bad_row=on_bad_row,
        max_rows=max_rows,
    )


@dataclass(frozen=True)
class _Table:
    """Records of one file or data set: ``name`` goes into each row as its ``file``, ``path`` into error texts."""

    name: str
    path: str
    records: Callable[[], NumberedRecords]

    def first(self, on_bad_row: OnBadRow) -> tuple[int, Record] | None:
        """The first record that can be read at all, and its line."""
        bad_rows = BadRows(on_bad_row=on_bad_row)
        for line, record in self.records():
            if not isinstance(record, BadRecord):
                return line, record
            bad_rows.report(f"{self.path}, line {line}", record.reason)
        return None


@dataclass(frozen=True)
class _Tables:
    tables: list[_Table]
    notes: list[str]


@dataclass(frozen=True)
class _SettledTable:
    table: _Table
    layout: Layout

    def rows(self, bad_rows: BadRows) -> Iterator[Row]:
        header = self.layout.has_header
        for line, record in self.table.records():
            if header and not isinstance(record, BadRecord):
                header = False
                continue
            row = record if isinstance(record, BadRecord) else row_of(record, self.layout)
            if isinstance(row, BadRecord):
                bad_rows.report(f"{self.table.path}, line {line}", row.reason)
            elif row is not None:
                row["file"] = self.table.name
                row["line"] = line
                yield row


def _settle(
    tables: list[_Table], picks: Picks, on_bad_row: OnBadRow, notes: list[str], spec: str
) -> list[_SettledTable]:
    """Read the first record of each table, settle its columns, and require them to be the same everywhere."""
    settled: list[_SettledTable] = []
    for table in tables:
        numbered = table.first(on_bad_row)
        if numbered is None:
            continue
        line, first = numbered
        layout = layout_of(first, picks, f"{table.path}, line {line}")
        if settled and settled[0].layout.columns != layout.columns:
            raise UserError(
                f"{spec} mixes columns: {settled[0].table.path} holds {', '.join(settled[0].layout.columns)} and "
                f"{table.path} holds {', '.join(layout.columns)}; keep one kind a folder, or pick with `--columns`"
            )
        settled.append(_SettledTable(table, layout))
        notes.extend(note for note in _column_notes(table, first, layout, picks) if note not in notes)
    if not settled:
        raise UserError(f"{spec} is empty: it holds no text; name a file with at least one line")
    bad_rows = BadRows(on_bad_row=on_bad_row)
    if all(next(table.rows(bad_rows), None) is None for table in settled):
        reason = f"; the first bad row is {bad_rows.first}" if bad_rows.first else ""
        raise UserError(f"{spec} is empty: it holds no row with a text{reason}")
    return settled


def _column_notes(table: _Table, first: Record, layout: Layout, picks: Picks) -> Iterator[str]:
    if layout.ignored and picks is None:
        yield f"columns not read: {', '.join(layout.ignored)} (read: {', '.join(layout.columns)})"
    cells = [] if layout.num_cells is None or layout.has_header else [str(cell).strip().lower() for cell in first]
    if len(cells) > 1 and KNOWN_COLUMNS.intersection(cells):
        yield f"the first row of {table.path} is read as texts, not as a header: not every cell is a known column name"


def _file_tables(path: Path) -> _Tables:
    if not path.exists():
        raise UserError(f"no file or folder at {path}; check the path (a data set of the hub is named `hf:NAME`)")
    if not path.is_dir():
        return _Tables([_Table(path.name, str(path), lambda: read_records(path))], [])
    files = sorted(_visible_files(path))
    tables = [
        _Table(str(file.relative_to(path)), str(file), lambda file=file: read_records(file))
        for file in files
        if is_readable(file)
    ]
    if not tables:
        raise UserError(f"the folder {path} holds no file of a known format; known are {KNOWN_NAMES}")
    others = [str(file.relative_to(path)) for file in files if not is_readable(file)]
    return _Tables(tables, [f"files not read, of no known format: {', '.join(others[:5])}" for _ in others[:1]])


def _visible_files(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in files if not name.startswith("."))


def _hub_tables(spec: str) -> _Tables:
    from selfsent.data.hub import hub_records  # noqa: PLC0415 the datasets library takes a second to import

    return _Tables([_Table(spec.removeprefix("hf:"), spec, hub_records(spec))], [])


def _open_docs(spec: str, max_rows: int | None) -> Source:
    from selfsent.data.docs import PROVENANCE_COLUMNS, open_docstrings  # noqa: PLC0415 only this source needs it

    part = spec.removeprefix("docs:")
    if part not in ("", "train", "heldout"):
        raise UserError(f"got {spec}; the parts of the embedded corpus are `docs:`, `docs:train` and `docs:heldout`")
    corpus = open_docstrings()
    return Source(
        spec=spec,
        columns=("text",),
        provenance_columns=PROVENANCE_COLUMNS,
        read=lambda _: (dict(row) for row in corpus.sentences(part or "all")),
        notes=corpus.notes,
        max_rows=max_rows,
    )
