"""Rows on disk instead of in memory: a stream becomes an Arrow file, and training maps the file."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from datasets import Dataset
from datasets.arrow_writer import ArrowWriter
from tqdm.auto import tqdm

from selfsent.atomic import atomic_path
from selfsent.errors import UserError
from selfsent.ranks import made_once, wait_for_all_ranks

_MOST_ROWS_A_BATCH = 100_000
_CHARACTERS_A_BATCH = 4 << 20  # who opens a file reads the head of each batch, and the system maps 64 KiB around it

Row = Mapping[str, str | int | float]


def materialise(rows: Iterable[Row], path: Path, *, columns: Sequence[str] | None = None) -> Dataset:
    """Write a stream of rows to an Arrow file and open it, mapped into memory: a corpus larger than memory trains.

    Of several ranks that train together the first reads and writes; the others open its file.

    Args:
        rows: Rows with the same columns, such as a ``Source``. They are read once, some megabytes in memory at a time.
        path: The file to write, aside and renamed; what stood there is replaced. The returned data set needs it.
        columns: The columns to keep, in order; default: those of a ``Source`` without the provenance, else all of the
            first row.

    Returns:
        The rows as a data set.

    Raises:
        UserError: There is no row, a row lacks a column or changes its type, or the file cannot be written.
    """
    made_once(lambda: _write(rows, path, columns or getattr(rows, "columns", None)))
    dataset = Dataset.from_file(str(path))
    wait_for_all_ranks()  # a mistake after this lets the first rank remove the file
    return dataset


def _write(rows: Iterable[Row], path: Path, columns: Sequence[str] | None) -> None:
    with atomic_path(path) as aside, ArrowWriter(path=str(aside), writer_batch_size=_MOST_ROWS_A_BATCH) as writer:
        num_rows = num_characters = 0
        for row in _uniform(tqdm(rows, desc="reading the corpus", unit=" rows", disable=None, leave=False), columns):
            writer.write(row)
            num_rows += 1
            num_characters += sum(len(value) for value in row.values() if isinstance(value, str))
            if num_characters > _CHARACTERS_A_BATCH:
                writer.write_examples_on_file()
                num_characters = 0
        if not num_rows:
            raise UserError("the source holds no rows; name one with at least one text")
        writer.finalize()


def _uniform(rows: Iterable[Row], columns: Sequence[str] | None) -> Iterator[dict[str, str | int | float]]:
    """Yield rows of the same columns and types; Arrow's writer would quietly turn a mixture into strings."""
    types: dict[str, type] = {}
    for number, row in enumerate(rows, start=1):
        columns = columns or tuple(row)
        try:
            kept = {column: row[column] for column in columns}
        except KeyError as error:
            raise UserError(f"row {number} has no column {error}; every row needs {', '.join(columns)}") from error
        types = types or {column: type(value) for column, value in kept.items()}
        for column, value in kept.items():
            if type(value) is not types[column]:
                raise UserError(
                    f"column {column} changes its type at row {number}: got {value!r}, and the rows "
                    f"before hold {types[column].__name__}; write labels all as names or all as integers"
                )
        yield kept
