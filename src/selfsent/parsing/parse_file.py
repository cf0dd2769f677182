"""Parses on disk: a table of texts with their trees, looked up by the text.

A parse file is Parquet with the columns ``text``, ``word_starts`` and ``split_depths``
(`selfsent.parsing.parsed_text.ParsedText`), so it is also a source of the texts it holds.
"""

import contextlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

    Texts are not held in memory but their 64-bit hashes: 32 bytes a text and about 3 a word. Of a text that occurs
    several times the first parse counts.

    Args:
        path: A file that ``selfsent parse`` wrote, or a folder of such files.

    Raises:
        UserError: There is no parse file at ``path``.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = expanded(path)
        batches = [batch for file in _files(self.path) for batch in _batches(file)]
        if not batches:
            raise UserError(f"the parse file {path} is empty; write one with `selfsent parse`")
        hashes = np.concatenate([batch[0] for batch in batches])
        self._starts = _Ragged.joined([batch[1] for batch in batches])
        self._depths = _Ragged.joined([batch[2] for batch in batches])
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
    """Hashes of the texts, word starts and split depths of some thousand rows at a time."""
    with reading(path), path.open("rb") as stream:
        for batch in pq.ParquetFile(stream).iter_batches(batch_size=8192, columns=_SCHEMA.names):
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
    """Many short integer arrays in one, in as few bytes a value as the largest needs."""

    values: NDArray[Any]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, column: Any) -> "_Ragged":
        """Take an Arrow column of lists."""
        values = column.flatten().to_numpy()
        smallest = np.min_scalar_type(int(values.max(initial=0)))
        return cls(values.astype(smallest), np.cumsum(column.value_lengths().to_numpy(), dtype=np.int64))

    @classmethod
    def joined(cls, parts: Sequence["_Ragged"]) -> "_Ragged":
        """Put several one behind the other."""
        sizes = np.cumsum([0, *(len(part.values) for part in parts)])
        ends = [part.ends + size for part, size in zip(parts, sizes[:-1], strict=True)]
        return cls(np.concatenate([part.values for part in parts]), np.concatenate(ends))

    def __getitem__(self, row: int) -> NDArray[np.int64]:
        return self.values[self._places(row)].astype(np.int64)

    def __setitem__(self, row: int, values: NDArray[np.int64]) -> None:
        self.values[self._places(row)] = values

    def _places(self, row: int) -> slice:
        return slice(int(self.ends[row - 1]) if row else 0, int(self.ends[row]))
