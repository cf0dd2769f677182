"""Sources: one way to open whatever holds texts, and to read it as rows, streaming, as often as wanted.

A source is a file or a folder of files, a data set of the Hugging Face hub (``hf:NAME``), or the embedded corpus
(``docs:``). What its columns mean is settled when it is opened, so a mistake shows before anything is computed.
"""

import hashlib
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from selfsent.data.bad_rows import BadRows, OnBadRow
from selfsent.data.columns import NOT_TEXTS, Row
from selfsent.data.parallel_formats import is_parallel
from selfsent.data.source_files import expanded, file_tables
from selfsent.data.tables import Reading, Table, Tables, settle
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
        for row in self.read(self._bad_rows):
            if self._sha256 is None:
                digest.update(json.dumps([row[column] for column in self.columns]).encode())
            yield row
        self._sha256 = self._sha256 or digest.hexdigest()

    def read(self, bad_rows: BadRows) -> Iterator[Row]:
        """Begin a pass that counts what it leaves out elsewhere: for a source that is part of another."""
        return itertools.islice(
            self._read(bad_rows), None if self.max_rows is None else min(self.max_rows, sys.maxsize)
        )

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
    header: bool | None = None,
    on_bad_row: OnBadRow = "stop",
    max_rows: int | None = None,
    exclude: Sequence[str | Path] = (),
) -> Source:
    """Open what holds texts: a file, a folder, ``hf:NAME[:config][:split]`` or ``docs:[train|heldout]``.

    The formats are ``.txt`` (one text a line), ``.jsonl``, ``.csv`` (quoted), ``.tsv`` (never quoted) and ``.parquet``,
    each also ``.gz``, ``.xz`` or ``.zst``. The columns are named sets (``text``; ``anchor, positive[, negative]``;
    ``premise, hypothesis, label``; ``sentence1, sentence2, score``; ``source, target``; language codes), or count by
    position: one text, a pair, a triplet, four and more alternative texts ``text_1 ... text_n`` of one thing.

    Args:
        spec: What to open.
        columns: Columns by name or 1-based number, in the order wanted; default: what names or positions say.
        header: Whether the first row of a ``.csv``, ``.tsv`` or ``.txt`` file names its columns; default: it does where
            every name is known, or one is picked.
        on_bad_row: ``stop`` raises at the first row that cannot be used, ``skip`` counts such rows.
        max_rows: Read at most this many rows, at least 1; default all.
        exclude: Files and folders not to read where ``spec`` is a folder that holds them, such as the output of the
            work that reads it.

    Returns:
        The source. The first row has been read, so its columns are settled.

    Raises:
        UserError: There is no such source, it is empty, binary or unreadable, or it lacks the columns.
    """
    name = str(spec)
    _check_request(name, columns, on_bad_row, max_rows)
    if is_parallel(name):
        from selfsent.data.parallel_sources import open_parallel  # noqa: PLC0415 it builds on this module

        return open_parallel(
            name, columns=columns, header=header, on_bad_row=on_bad_row, max_rows=max_rows, exclude=exclude
        )
    if header is not None and name.startswith(("docs:", "hf:")):
        raise UserError(f"{name} names its columns itself, and --header is for .csv, .tsv and .txt files; leave it out")
    if name.startswith("docs:"):
        return _open_docs(name, max_rows)
    opened = _hub_tables(name) if name.startswith("hf:") else file_tables(expanded(spec), exclude)
    notes = list(opened.notes)
    settled = settle(opened.tables, Reading(columns, header, on_bad_row), notes, name)
    return Source(
        spec=name,
        columns=settled[0].layout.columns,
        provenance_columns=("file", "line"),
        read=lambda bad_rows: itertools.chain.from_iterable(table.rows(bad_rows) for table in settled),
        notes=notes,
        on_bad_row=on_bad_row,
        max_rows=max_rows,
    )


def _check_request(spec: str, columns: Sequence[str | int] | None, on_bad_row: str, max_rows: int | None) -> None:
    if not spec.strip():
        raise UserError("the name of the source is empty; name a file, a folder, `hf:NAME` or `docs:`")
    if max_rows is not None and max_rows < 1:
        raise UserError(f"got max_rows {max_rows}; at least 1 row is needed")
    if on_bad_row not in ("stop", "skip"):
        raise UserError(f"got on_bad_row {on_bad_row!r}; it is `stop` or `skip`")
    if columns is not None and not columns:
        raise UserError("got an empty list of columns; name at least one, or leave the option out")


def _hub_tables(spec: str) -> Tables:
    from selfsent.data.hub import hub_records  # noqa: PLC0415 the datasets library takes a second to import

    records = hub_records(spec)
    return Tables([Table(spec.removeprefix("hf:"), spec, records, lambda: records(None))], [])


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
