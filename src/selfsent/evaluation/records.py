"""Read evaluation data from the local layout or from the hub; each row knows its file and line."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfsent.data import formats
from selfsent.data.cells import brief, finite_number
from selfsent.data.compression import COMPRESSIONS
from selfsent.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Record:
    """One row of a data file.

    Args:
        values: The row's cells by column; cells of tab-separated files are strings.
        place: Where it stands, for errors: ``file, line 12``.
    """

    values: Mapping[str, Any]
    place: str

    def text(self, column: str) -> str:
        """Give a cell that must hold text.

        Raises:
            UserError: It holds none.
        """
        value = self.values.get(column)
        if isinstance(value, str) and value.strip():
            return value
        raise UserError(f"{self.place}: {column} is {brief(value)}; give a text")

    def texts(self, column: str) -> list[str]:
        """Give a cell that must hold a list of texts.

        Raises:
            UserError: It does not.
        """
        value = self.values.get(column)
        if isinstance(value, list | tuple) and all(isinstance(text, str) and text.strip() for text in value):
            return list(value)
        raise UserError(f"{self.place}: {column} is {brief(value)}; give a list of texts")

    def number(self, column: str) -> float:
        """Give a cell that must hold a number; a number written as text is read as the number.

        Raises:
            UserError: It is not a finite number.
        """
        value = self.values.get(column)
        number = finite_number(value)
        if number is not None:
            return number
        raise UserError(f"{self.place}: {column} is {brief(value)}; give a number")


def find_file(data_dir: Path, relative: str, *, columns: Sequence[str]) -> Path:
    """Find a file of the layout, compressed or not.

    Args:
        data_dir: The folder of the evaluation data.
        relative: The file's place in it, ``sts/STS12/test.jsonl``.
        columns: What the file must hold, for the error.

    Raises:
        UserError: It is not there.
    """
    found = found_file(data_dir, relative)
    if found is not None:
        return found
    raise UserError(
        f"{data_dir} must hold {relative} (or {', '.join(COMPRESSIONS)} of it) with the columns "
        f"{', '.join(columns)}, one row a line"
    )


def found_file(data_dir: Path, relative: str) -> Path | None:
    """Where a file of the layout is, compressed or not; ``None`` where it is not there."""
    paths = (data_dir / f"{relative}{suffix}" for suffix in ("", *COMPRESSIONS))
    return next((path for path in paths if path.is_file()), None)


def read_records(path: Path, *, columns: Sequence[str]) -> list[Record]:
    """Read a file of any format of the package, with a header where its format has none of its own.

    Args:
        path: A ``.jsonl``, ``.tsv`` (never quoted), ``.csv`` or ``.parquet`` file, compressed or not.
        columns: Columns that every row must have.

    Returns:
        The rows, in order, empty lines left out.

    Raises:
        UserError: The file is missing, malformed or empty, or a column is not there; file and line are named.
    """
    records = list(_named_cells(path))
    if not records:
        raise UserError(f"{path} holds no rows; give at least one, with the columns {', '.join(columns)}")
    for record in records:
        missing = [column for column in columns if column not in record.values]
        if missing:
            there = ", ".join(map(str, record.values)) or "none"
            raise UserError(f"{record.place}: no column {', '.join(missing)}; the columns there are {there}")
    return records


def _named_cells(path: Path) -> Iterator[Record]:
    header: list[str] | None = None
    for line, cells in formats.read_records(path):
        place = f"{path}, line {line}"
        if isinstance(cells, formats.BadRecord):
            raise UserError(f"{place}: {cells.reason}")
        if isinstance(cells, Mapping):
            yield Record(values=cells, place=place)
        elif header is None:
            header = [cell.strip() for cell in cells]
        elif len(cells) != len(header):
            raise UserError(
                f"{place}: {len(cells)} cells under {len(header)} headings; give every row as many cells as headings"
            )
        else:
            yield Record(values=dict(zip(header, cells, strict=True)), place=place)


@dataclass(frozen=True, kw_only=True)
class HubData:
    """A data set of the Hugging Face hub, pinned.

    Args:
        name: ``owner/name``.
        revision: Commit, so that a figure stays what it was.
        split: Which split.
        config: Which configuration; ``None`` for the only one.
        rename: Their column names that differ from ours.
    """

    name: str
    revision: str
    split: str = "test"
    config: str | None = None
    rename: Mapping[str, str] | None = None

    def records(self, *, columns: Sequence[str], instead: str) -> list[Record]:
        """Fetch the rows, or take them from the local cache of ``datasets``.

        Args:
            columns: Columns (by our names) that every row must have.
            instead: The local file to name where the hub cannot be reached.

        Raises:
            UserError: The hub cannot be reached, or has no such data.
        """
        from datasets import load_dataset  # noqa: PLC0415 takes a second to import

        try:
            rows = load_dataset(self.name, self.config, split=self.split, revision=self.revision)
        except Exception as error:  # whatever the hub's client raises means "not available"
            reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
            raise UserError(
                f"cannot get {self.name} from the hub ({reason[:120]}); name a folder with --data-dir that holds "
                f"{instead} with the columns {', '.join(columns)}"
            ) from error
        if self.rename:
            rows = rows.rename_columns(dict(self.rename))
        missing = [column for column in columns if column not in (rows.column_names or [])]
        if missing:
            raise UserError(f"{self.name} on the hub has no column {', '.join(missing)}; use a local {instead}")
        return [Record(values=dict(row), place=f"{self.name}, row {row_number}") for row_number, row in enumerate(rows)]
