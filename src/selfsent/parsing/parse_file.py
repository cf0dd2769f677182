"""Parses on disk: a table of texts with their trees, looked up by the text.

A parse file is Parquet with the columns ``text``, ``word_starts`` and ``split_depths``
(`selfsent.parsing.parsed_text.ParsedText`), so it is also a source of the texts it holds.
"""

import contextlib
import tempfile
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from selfsent.atomic import atomic_path
from selfsent.data.compression import reading
from selfsent.data.heldout import hash_of_text
from selfsent.data.source_files import expanded
from selfsent.errors import UserError
from selfsent.parsing.parsed_text import ParsedText, same_places

SUFFIX = ".parquet"

_SCHEMA = pa.schema(
    [("text", pa.string()), ("word_starts", pa.list_(pa.int32())), ("split_depths", pa.list_(pa.int32()))]
)
_TEXTS_AT_ONCE = 1024
_LISTS = ("word_starts.list.element", "split_depths.list.element")


def write_parses(path: Path, parses: Sequence[ParsedText]) -> None:
    """Write parses to a file of their own, aside and renamed.

    Args:
        path: The file.
        parses: What it holds, in order.
    """
    table = pa.table(
        {
            "text": [parse.text for parse in parses],
            "word_starts": [parse.word_starts for parse in parses],
            "split_depths": [parse.split_depths for parse in parses],
        },
        schema=_SCHEMA,
    )
    with atomic_path(path) as aside, _writer(aside) as writer:
        writer.write_table(table)


def join_parses(files: Iterable[Path], path: Path) -> None:
    """Write the parses of several files into one, aside and renamed, one of them in memory at a time."""
    with atomic_path(path) as aside, _writer(aside) as writer:
        for file in files:
            with file.open("rb") as stream:
                writer.write_table(pq.read_table(stream))


@contextlib.contextmanager
def _writer(path: Path) -> Generator[pq.ParquetWriter]:
    encoding = dict.fromkeys(_LISTS, "DELTA_BINARY_PACKED")
    with (
        path.open("wb") as stream,  # Arrow takes no name that is not UTF-8
        pq.ParquetWriter(stream, _SCHEMA, compression="zstd", use_dictionary=False, column_encoding=encoding) as writer,
    ):
        yield writer


def is_parse_file(path: str | Path) -> bool:
    """Tell whether a path is a file of parses, by its columns."""
    place = expanded(path)
    if place.suffix != SUFFIX or not place.is_file():
        return False
    try:
        with place.open("rb") as stream:
            return set(_SCHEMA.names) <= set(pq.read_schema(stream).names)
    except pa.ArrowInvalid:
        return False


class ParseFile:
    """The parses of a file, or of all parse files of a folder, found by their texts.

    Of texts their 64-bit hashes are held in memory, 16 bytes a text; their trees are mapped from temporary files of 16
    bytes a text and 8 a word. Of a text that occurs several times the first parse counts.

    Args:
        path: A file that ``selfsent parse`` wrote, or a folder of such files.

    Raises:
        UserError: ``path`` holds no parse file, or the disk is too full for the temporary files.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = expanded(path)
        parts: list[NDArray[np.uint64]] = []
        starts, depths = _RaggedFile(), _RaggedFile()
        for file in _files(self.path):
            for hashes, starts_of_words, split_depths in _batches(file):
                parts.append(hashes)
                starts.add(starts_of_words)
                depths.add(split_depths)
        if not parts:
            raise UserError(f"the parse file {path} is empty; write one with `selfsent parse`")
        self._starts, self._depths, hashes = starts.mapped(), depths.mapped(), np.concatenate(parts)
        order = np.argsort(hashes, kind="stable")
        self._hashes, self._rows = hashes[order], order

    def __len__(self) -> int:
        return len(self._hashes)

    def find(self, text: str) -> ParsedText | None:
        """Give the parse of a text, or ``None``; how much white space stands between its words does not matter."""
        bare = text.strip()
        spaced = _evenly_spaced(bare)
        value = np.uint64(hash_of_text(spaced))
        place = int(np.searchsorted(self._hashes, value))
        if place == len(self._hashes) or self._hashes[place] != value:
            return None
        row = int(self._rows[place])
        starts = self._starts[row] if spaced == bare else same_places(self._starts[row], spaced, bare)
        return ParsedText(text=bare, word_starts=starts, split_depths=self._depths[row])


def _evenly_spaced(text: str) -> str:
    return " ".join(text.split())


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise UserError(f"no parses at {path}: the path does not exist; `selfsent parse` writes such a file")
    files = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]
    found = [file for file in files if is_parse_file(file)]
    if not found:
        raise UserError(
            f"{path} holds no parses: a Parquet file with the columns {', '.join(_SCHEMA.names)} is needed;"
            " `selfsent parse` writes it"
        )
    return found


def _batches(path: Path) -> Iterator[tuple[NDArray[np.uint64], "_Ragged", "_Ragged"]]:
    """Hashes of the texts, word starts and split depths of a thousand rows at a time."""
    with reading(path), path.open("rb") as stream:
        for batch in pq.ParquetFile(stream).iter_batches(batch_size=_TEXTS_AT_ONCE, columns=_SCHEMA.names):
            texts = list(map(str, batch.column("text").to_pylist()))
            spaced = list(map(_evenly_spaced, texts))
            hashes = np.fromiter(map(hash_of_text, spaced), np.uint64, count=len(texts))
            starts = _Ragged.of(batch.column("word_starts"))
            for row, (text, even) in enumerate(zip(texts, spaced, strict=True)):
                if text != even:
                    starts[row] = same_places(starts[row], text, even)
            yield hashes, starts, _Ragged.of(batch.column("split_depths"))


@dataclass(frozen=True)
class _Ragged:
    """Many short integer arrays in one."""

    values: NDArray[np.int32]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, column: Any) -> "_Ragged":
        """Take an Arrow column of lists."""
        ends = np.cumsum(column.value_lengths().to_numpy(), dtype=np.int64)
        return cls(np.array(column.flatten().to_numpy(), dtype=np.int32), ends)

    def __getitem__(self, row: int) -> NDArray[np.int64]:
        return self.values[self._places(row)].astype(np.int64)

    def __setitem__(self, row: int, values: NDArray[np.int64]) -> None:
        self.values[self._places(row)] = values

    def _places(self, row: int) -> slice:
        return slice(int(self.ends[row - 1]) if row else 0, int(self.ends[row]))


class _RaggedFile:
    """Writes ragged arrays one behind the other to temporary files, and maps those."""

    def __init__(self) -> None:
        self._values, self._ends = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 mapped later
        self._num_values = 0

    def add(self, part: _Ragged) -> None:
        try:
            self._values.write(part.values.tobytes())
            self._ends.write((part.ends + self._num_values).tobytes())
            self._values.flush()
            self._ends.flush()
        except OSError as error:
            raise UserError(
                f"cannot write trees to a temporary file: {error.strerror}; name a folder with more space in TMPDIR"
            ) from error
        self._num_values += len(part.values)

    def mapped(self) -> _Ragged:
        return _Ragged(_mapped(self._values, np.int32), _mapped(self._ends, np.int64))


def _mapped(file: IO[bytes], dtype: type[np.generic]) -> NDArray[Any]:
    return np.memmap(file, dtype=dtype, mode="r") if file.tell() else np.zeros(0, dtype=dtype)
