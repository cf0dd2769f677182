"""Readers of every format: they yield records one at a time; a bad one is reported, and reading continues."""

import contextlib
import csv
import itertools
import json
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from selfsent.data.compression import COMPRESSIONS, byte_lines, format_suffixes, open_seekable, reading
from selfsent.errors import UserError


@dataclass(frozen=True)
class BadRecord:
    """A record that cannot be read.

    Args:
        reason: What is wrong and how to correct it, without the place.
        num_lines: How many lines of the file are lost with it.
    """

    reason: str
    num_lines: int = 1


@dataclass(frozen=True)
class UnreadableValue:
    """Stands for a value of a table that Python cannot hold, such as a date beyond the year 9999.

    Args:
        reason: Why it cannot be read.
    """

    reason: str

    def __repr__(self) -> str:
        return f"a value that cannot be read ({self.reason})"


Record = Sequence[str] | Mapping[str, Any]
"""Cells by position (``.txt``, ``.csv``, ``.tsv``) or values by name (``.jsonl``, ``.parquet``)."""

NumberedRecords = Iterator[tuple[int, Record | BadRecord]]

NumberedLines = Iterator[tuple[int, Record | BadRecord | None]]
"""Records, and ``None`` for each blank line between them."""


def without_blanks(records: NumberedLines) -> NumberedRecords:
    """Leave out the blank lines."""
    return ((number, record) for number, record in records if record is not None)


def read_txt(path: Path) -> NumberedLines:
    """Yield each line as one cell."""
    return _read_lines(path, lambda line: (line,))


def read_tsv(path: Path) -> NumberedLines:
    """Yield the cells of each line; a quotation mark is a character like any other."""
    return _read_lines(path, lambda line: line.split("\t"))


def _read_lines(path: Path, record_of: Callable[[str], Record | BadRecord]) -> NumberedLines:
    for number, line in _decoded_lines(path):
        if isinstance(line, BadRecord):
            yield number, line
        else:
            yield number, record_of(line) if line and not line.isspace() else None


def read_csv(path: Path) -> NumberedLines:
    """Yield the cells of each record; a quoted cell may hold commas, doubled quotation marks and line ends.

    A quote that is never closed makes all lines behind it part of its record, which is a bad one.
    """
    csv.field_size_limit(sys.maxsize)
    lines = _CsvLines(path)
    records = csv.reader(lines, strict=True)
    while True:
        first_line = lines.number + 1
        try:
            cells = next(records)
        except StopIteration:
            return
        except csv.Error as error:
            yield first_line, _bad_csv(str(error), first_line, lines.number)
        else:
            if lines.problems:
                line, reason = lines.problems[0]
                yield line, BadRecord(reason, lines.number - first_line + 1)
            else:
                yield first_line, cells if any(cell and not cell.isspace() for cell in cells) else None
        lines.problems.clear()


def _bad_csv(error: str, first_line: int, last_line: int) -> BadRecord:
    """Say what is wrong with a record, and how many lines it covers."""
    num_lines = last_line - first_line + 1
    swallowed = f"it covers lines {first_line} to {last_line}" if num_lines > 1 else ""
    if error == "unexpected end of data":
        reason = f"a quote opened in line {first_line} is never closed"
    elif error.startswith("new-line character"):
        reason = "a carriage return stands outside quotes"
    else:
        reason = f"malformed CSV: {error}"
    advice = "quote a cell as a whole and double the quotes in it"
    return BadRecord("; ".join(filter(None, (reason, swallowed, advice))), num_lines)


class _CsvLines:
    """Lines for ``csv.reader``: one that cannot be decoded is a problem of its record, and its quotes still count."""

    def __init__(self, path: Path) -> None:
        self._lines = byte_lines(path)
        self.number = 0
        self.problems: list[tuple[int, str]] = []

    def __iter__(self) -> "_CsvLines":
        return self

    def __next__(self) -> str:
        self.number, raw = next(self._lines)
        line = _decode(raw)
        if isinstance(line, BadRecord):
            self.problems = self.problems or [(self.number, line.reason)]
            line = raw.decode("utf8", "replace")
        return line + "\n"


def read_jsonl(path: Path) -> NumberedLines:
    """Yield the object on each line."""
    return _read_lines(path, _json_object)


def _json_object(line: str) -> Record | BadRecord:
    try:
        value = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        return BadRecord(f"malformed JSON: {error}; write one whole JSON object a line")
    except ValueError:
        return BadRecord("holds a whole number of thousands of digits; write it as a text, or leave it out")
    if not isinstance(value, dict):
        return BadRecord(f'needs a JSON object such as {{"text": "..."}}, got {type(value).__name__}')
    return value


def read_parquet(
    path: Path, columns: Sequence[str] | None = None, *, rows_at_once: int = 1024
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows, read a batch at a time; a compressed file is first unpacked to a temporary one.

    Args:
        path: The file.
        columns: The only columns to read; default: all.
        rows_at_once: Rows of a batch.
    """
    with _parquet(path) as file:
        batches = file.iter_batches(batch_size=rows_at_once, columns=None if columns is None else list(columns))
        rows = itertools.chain.from_iterable(map(rows_of, batches))
        yield from enumerate(rows, start=1)


def rows_of(batch: Any) -> Iterator[dict[str, Any]]:
    """Yield the rows of an Arrow table or batch; a value that Python cannot hold becomes an `UnreadableValue`."""
    names = batch.schema.names
    for values in zip(*map(_values, batch.columns), strict=True):
        yield dict(zip(names, values, strict=True))


def _parquet_head(path: Path) -> NumberedRecords:
    """The first two rows with the texts in them alone: every other column is empty, and so is a missing text."""
    with _parquet(path) as file:
        schema, num_rows = file.schema_arrow, file.metadata.num_rows
    texts = [field.name for field in schema if _holds_texts(field.type)]
    rows = read_parquet(path, texts, rows_at_once=2) if texts else ((1, {}) for _ in range(min(num_rows, 1)))
    for number, row in itertools.islice(rows, 2):
        empty: dict[str, Any] = dict.fromkeys(map(str, schema.names))
        yield number, empty | {name: value or "" for name, value in row.items()}


@contextlib.contextmanager
def _parquet(path: Path) -> Generator[pq.ParquetFile]:
    with reading(path), open_seekable(path) as stream:
        try:
            yield pq.ParquetFile(stream)
        except pa.ArrowException as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"cannot read {path} as parquet: {reason}; is it whole, and really parquet?") from error


def _holds_texts(kind: Any) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


_UNREADABLE = (ValueError, OverflowError, LookupError, pa.ArrowException)
"""What Arrow raises for text that is not UTF-8, for years beyond 9999 and for unknown time zones."""


def _values(column: Any) -> list[Any]:
    """The values of a column, those that Python cannot hold each replaced by what is wrong with it."""
    try:
        return column.to_pylist()
    except _UNREADABLE:
        return [_value(scalar) for scalar in column]


def _value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except _UNREADABLE as error:
        return UnreadableValue(f"{scalar.type}: {error}")


def _decoded_lines(path: Path) -> Iterator[tuple[int, str | BadRecord]]:
    for number, line in byte_lines(path):
        yield number, _decode(line)


def _decode(line: bytes) -> str | BadRecord:
    try:
        text = line.decode("utf8")
    except UnicodeDecodeError as error:
        return BadRecord(
            f"not valid UTF-8 at byte {error.start + 1} of the line (0x{line[error.start]:02x}); "
            "convert the file: iconv -f WINDOWS-1252 -t UTF-8 IN > OUT"
        )
    return text if "\0" not in text else BadRecord("looks binary: it holds a NUL byte")


READERS: dict[str, Callable[[Path], NumberedLines]] = {
    ".txt": read_txt,
    ".jsonl": read_jsonl,
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".parquet": read_parquet,
}

KNOWN_NAMES = f"{', '.join(READERS)}, each also with {', '.join(COMPRESSIONS)} behind it"


def is_readable(path: Path) -> bool:
    """Tell whether the name of a file ends in a format we know."""
    return format_suffixes(path)[0] in READERS


def read_records(path: Path) -> NumberedRecords:
    """Read a file in the format its name says.

    Args:
        path: A file of any known format.

    Returns:
        Pairs of the 1-based line (or row, in parquet) and the record.

    Raises:
        UserError: The name ends in no format we know; while iterating also that the file cannot be read.
    """
    return without_blanks(read_lines(path))


def read_lines(path: Path, columns: Sequence[str] | None = None) -> NumberedLines:
    """Read a file as ``read_records`` does, with ``None`` for each blank line.

    Args:
        path: A file of any known format.
        columns: What is wanted of a record with names; a format that stores columns apart reads no other.

    Raises:
        UserError: As ``read_records``.
    """
    suffix = _known_suffix(path)
    return read_parquet(path, columns) if suffix == ".parquet" else READERS[suffix](path)


def read_head(path: Path) -> NumberedRecords:
    """Read the first records of a file, to settle what its columns mean; of parquet only the first two rows' texts.

    Raises:
        UserError: As ``read_records``.
    """
    return _parquet_head(path) if _known_suffix(path) == ".parquet" else read_records(path)


def _known_suffix(path: Path) -> str:
    suffix = format_suffixes(path)[0]
    if suffix not in READERS:
        raise UserError(f"cannot tell the format of {path} by its name; known are {KNOWN_NAMES}")
    return suffix
