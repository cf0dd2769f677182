"""Opening a file as a stream of bytes, whatever compressor wrote it; every failure is an error of one line."""

import contextlib
import gzip
import io
import itertools
import lzma
import shutil
import tempfile
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO, cast

import pyarrow as pa

from selfsent.errors import UserError

COMPRESSIONS = (".gz", ".xz", ".zst")

_NUM_SNIFFED_BYTES = 4096
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_MAGIC_NUMBERS = {
    b"\x1f\x8b": "gzip data; end its name with .gz",
    b"\xfd7zXZ\x00": "xz data; end its name with .xz",
    b"\x28\xb5\x2f\xfd": "zstandard data; end its name with .zst",
    b"PAR1": "parquet data; end its name with .parquet",
    b"PK\x03\x04": "a zip archive; unpack it first",
    b"%PDF": "a PDF; export its text first",
    b"SQLite format 3": "an SQLite database; export a table as CSV first",
}


def format_suffixes(path: Path) -> tuple[str, str]:
    """Split a file's name into format and compression.

    Args:
        path: The file; only its name is looked at, whatever its case.

    Returns:
        The format and the compression, such as ``(".txt", ".xz")``; the compression is empty for a plain file.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compression = suffixes.pop() if suffixes and suffixes[-1] in COMPRESSIONS else ""
    return (suffixes[-1] if suffixes else ""), compression


@contextlib.contextmanager
def reading(path: Path) -> Generator[None]:
    """Turn whatever goes wrong while ``path`` is read into a ``UserError`` that names it."""
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(f"no file at {path}; check the path") from error
    except PermissionError as error:
        raise UserError(f"cannot read {path}: permission denied; change its mode or its owner") from error
    except EOFError as error:
        raise _truncated(path) from error
    except (lzma.LZMAError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"cannot decompress {path}: {error}; check that its name has the right ending") from error
    except OSError as error:
        if "Truncated compressed stream" in str(error):
            raise _truncated(path) from error
        if "ZSTD" in str(error):
            raise UserError(f"cannot decompress {path}: {error}; check that its name has the right ending") from error
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error


def _truncated(path: Path) -> UserError:
    return UserError(f"{path} ends in the middle of its compressed data: it was cut short; fetch or write it again")


@contextlib.contextmanager
def open_bytes(path: Path) -> Generator[IO[bytes]]:
    """Yield the decompressed bytes of ``path`` as a buffered stream; use it inside ``reading``."""
    with contextlib.ExitStack() as stack:
        match format_suffixes(path)[1]:
            case ".gz":
                stream = cast("IO[bytes]", stack.enter_context(gzip.open(path, "rb")))
            case ".xz":
                stream = stack.enter_context(lzma.open(path, "rb"))
            case ".zst":
                # Arrow's stream reads several frames and notices a truncated one; zstandard's own reader stays silent.
                raw = stack.enter_context(path.open("rb"))
                decompressed = stack.enter_context(pa.CompressedInputStream(pa.PythonFile(raw), "zstd"))
                stream = stack.enter_context(io.BufferedReader(decompressed))  # pyright: ignore[reportArgumentType] it has the methods of a raw stream
            case _:
                stream = stack.enter_context(path.open("rb"))
        yield stream


@contextlib.contextmanager
def open_seekable(path: Path) -> Generator[IO[bytes]]:
    """Yield the decompressed bytes of ``path`` as a stream that can seek: a temporary copy where it is compressed."""
    with open_bytes(path) as stream:
        if not format_suffixes(path)[1]:
            yield stream
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(stream, copy)
            copy.seek(0)
            yield copy


def byte_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    r"""Read a text file line by line; a line ends at ``\n`` or ``\r\n`` and nowhere else.

    A file without any ``\n`` is of a system whose lines end at ``\r``; it is held in memory as a whole.

    Args:
        path: The file, compressed or not. A byte order mark of UTF-8 at its start is dropped.

    Yields:
        The 1-based number of the line and its bytes without the line end.

    Raises:
        UserError: The file is missing, unreadable, cut short, or binary.
    """
    with reading(path), open_bytes(path) as stream:
        first = stream.readline()
        refuse_binary(path, first[:_NUM_SNIFFED_BYTES])
        lines = itertools.chain(_lines_of_start(first.removeprefix(_BYTE_ORDER_MARK)), stream)
        yield from ((number, _without_end(line)) for number, line in enumerate(lines, start=1))


def _lines_of_start(start: bytes) -> list[bytes]:
    r"""The first line; all lines where they end at ``\r`` alone, so that the first one seems to be the whole file."""
    if start.endswith(b"\n") or b"\r" not in start:
        return [start] if start else []
    return start.removesuffix(b"\r").split(b"\r")


def refuse_binary(path: Path, start: bytes) -> None:
    """Raise a ``UserError`` where the first bytes of a file that should be text are not."""
    for magic, what in _MAGIC_NUMBERS.items():
        if start.startswith(magic):
            raise UserError(f"{path} looks binary: it holds {what}")
    if start.startswith(_UTF16_MARKS):
        raise UserError(f"{path} looks binary: it is UTF-16; convert it: iconv -f UTF-16 -t UTF-8 IN > OUT")
    if b"\0" in start:
        raise UserError(f"{path} looks binary: it holds NUL bytes; text files must be UTF-8")


def _without_end(line: bytes) -> bytes:
    return line.removesuffix(b"\n").removesuffix(b"\r")
