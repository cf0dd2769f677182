"""The readers: from a file of each format to its records, one at a time, a bad one told and never fatal by itself."""

import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
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
        reason: What is wrong and how to mend it, without the place.
    """

    reason: str


Record = Sequence[str] | Mapping[str, Any]
"""Cells by position (``.txt``, ``.csv``, ``.tsv``) or values by name (``.jsonl``, ``.parquet``)."""

NumberedRecords = Iterator[tuple[int, Record | BadRecord]]


def read_txt(path: Path) -> NumberedRecords:
    """Yield each line that is not blank as one cell."""
    for number, line in _decoded_lines(path):
        if isinstance(line, BadRecord):
            yield number, line
        elif line and not line.isspace():
            yield number, (line,)


def read_tsv(path: Path) -> NumberedRecords:
    """Yield the cells of each line that is not blank; a quotation mark is a character like any other."""
    for number, line in _decoded_lines(path):
        if isinstance(line, BadRecord):
            yield number, line
        elif line and not line.isspace():
            yield number, line.split("\t")


def read_csv(path: Path) -> NumberedRecords:
    """Yield the cells of each record; a quoted cell may hold commas, doubled quotation marks and line ends."""
    csv.field_size_limit(sys.maxsize)
    lines = _CsvLines(path)
    records = csv.reader(lines, strict=True)
    while True:
        first_line = lines.number + 1
        try:
            cells = next(records)
        except StopIteration:
            return
        except UnicodeError as error:
            yield lines.number, BadRecord(str(error))
        except csv.Error as error:
            yield first_line, BadRecord(f"malformed CSV: {error}; quote a cell as a whole and double the quotes in it")
        else:
            if any(cell and not cell.isspace() for cell in cells):
                yield first_line, cells


class _CsvLines:
    """Lines for ``csv.reader``: unlike a generator, it goes on after a line that could not be decoded."""

    def __init__(self, path: Path) -> None:
        self._lines = _decoded_lines(path)
        self.number = 0

    def __iter__(self) -> "_CsvLines":
        return self

    def __next__(self) -> str:
        self.number, line = next(self._lines)
        if isinstance(line, BadRecord):
            raise UnicodeError(line.reason)
        return line + "\n"


def read_jsonl(path: Path) -> NumberedRecords:
    """Yield the object on each line that is not blank."""
    for number, line in _decoded_lines(path):
        if isinstance(line, BadRecord):
            yield number, line
        elif line and not line.isspace():
            yield number, _json_object(line)


def _json_object(line: str) -> Record | BadRecord:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return BadRecord(f"malformed JSON: {error}; write one whole JSON object a line")
    if not isinstance(value, dict):
        return BadRecord(f'needs a JSON object such as {{"text": "..."}}, got {type(value).__name__}')
    return value


def read_parquet(path: Path) -> NumberedRecords:
    """Yield the rows, read a batch at a time; a compressed file is first unpacked to a temporary one."""
    with reading(path), open_seekable(path) as stream:
        try:
            number = 0
            for batch in pq.ParquetFile(stream).iter_batches(batch_size=1024):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
        except pa.ArrowInvalid as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"cannot read {path} as parquet: {reason}; is it whole, and really parquet?") from error
        except UnicodeDecodeError as error:
            raise UserError(f"cannot read {path}: a text in it is not valid UTF-8 ({error})") from error


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


READERS: dict[str, Callable[[Path], NumberedRecords]] = {
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
    try:
        return READERS[format_suffixes(path)[0]](path)
    except KeyError:
        raise UserError(f"cannot tell the format of {path} by its name; known are {KNOWN_NAMES}") from None
