"""A source: rows of texts from one place, streamed, and read as often as wanted."""

import hashlib
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Sequence

from selfsent.data.bad_rows import BadRows, OnBadRow
from selfsent.data.columns import NOT_TEXTS, Row
from selfsent.data.tables import Reading, Tables, settle

RowReader = Callable[[BadRows], Iterator[Row]]


class Source:
    """Rows of text from one place, read anew at every iteration and never held in memory as a whole.

    Iterating yields rows: a dict of the canonical ``columns`` (stripped texts; ``label`` a name or an integer;
    ``score`` a float), followed by the ``provenance_columns`` that tell where the row came from.

    Args:
        spec: What the user named.
        columns: Canonical names, in order.
        provenance_columns: Further names in each row: ``file`` and ``line``, or ``package`` and ``qualified_name``.
        read: Starts one pass over the rows.
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
        """How many rows the latest pass has left out so far."""
        return self._bad_rows.num_bad_rows

    @property
    def first_bad_row(self) -> str | None:
        """Place and reason of the first row the latest pass left out."""
        return self._bad_rows.first

    @property
    def left_out(self) -> BadRows:
        """What the latest pass has left out so far."""
        return self._bad_rows

    def take_in(self, left_out: BadRows) -> None:
        """Count what a pass left out that another process made."""
        self._fullest = self._fuller()
        self._bad_rows = left_out

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


def source_of_tables(opened: Tables, reading: Reading, *, spec: str, max_rows: int | None = None) -> Source:
    """Make a source of the rows of tables, one table after another.

    Args:
        opened: The tables, and what to tell the user about them.
        reading: Which columns are wanted, and what happens at a bad row.
        spec: What the user named.
        max_rows: Read at most this many rows; default all.

    Raises:
        UserError: The tables are empty, or lack the columns.
    """
    notes = list(opened.notes)
    settled = settle(opened.tables, reading, notes, spec)
    return Source(
        spec=spec,
        columns=settled[0].layout.columns,
        provenance_columns=("file", "line"),
        read=lambda bad_rows: itertools.chain.from_iterable(table.rows(bad_rows) for table in settled),
        notes=notes,
        on_bad_row=reading.on_bad_row,
        max_rows=max_rows,
    )
