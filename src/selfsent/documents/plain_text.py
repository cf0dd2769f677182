"""Plain text: a file of any size as documents of bounded size, a line, a paragraph or the whole of it at a time."""

import contextlib
import io
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from selfsent.data.compression import open_bytes
from selfsent.documents.charset import FALLBACK, encoding_of, is_guessed
from selfsent.documents.document import Document
from selfsent.documents.skipped import UnreadableError

Unit = Literal["auto", "line", "paragraph", "document"]
UNITS: tuple[Unit, ...] = ("auto", "line", "paragraph", "document")

MAX_CHARACTERS = 8 * 2**20
"""Largest size of a document (over a million words): a longer file is cut into several, between two lines."""

_NUM_SAMPLED_BYTES = 64 * 2**10
_ENDS_A_SENTENCE = (".", "!", "?", "。", "！", "？", "।", "؟", "…", '"', "”", "」")  # noqa: RUF001 marks of other scripts
_SENTENCE_SHARE = 0.7
_MIN_LINES_IN_FOLDER = 100
_WRAPPED_SHARE = 0.6
_MAX_WIDTH = 200  # characters


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What the beginning of a file shows.

    Args:
        encoding: By its byte order mark, else UTF-8 or Windows-1252.
        is_guessed: It has no mark and is not valid UTF-8.
        text: The beginning, without a last line that was cut off.
    """

    encoding: str
    is_guessed: bool
    text: str


def sample_of(path: Path) -> Sample:
    """Look at the beginning of a file.

    Raises:
        UnreadableError: It is binary or empty.
    """
    with open_bytes(path) as stream:
        start = stream.read(_NUM_SAMPLED_BYTES)
    if not start:
        raise UnreadableError("empty")
    encoding = encoding_of(start)
    text = start.decode(encoding, FALLBACK)
    _refuse_binary(text)
    if len(start) == _NUM_SAMPLED_BYTES and "\n" in text:
        text = text.rpartition("\n")[0]
    return Sample(encoding=encoding, is_guessed=is_guessed(start), text=text)


def unit_of(sample: Sample, *, is_alone: bool) -> tuple[Unit, str]:
    """Choose the unit of a file that a person would expect.

    A file among others is one document: a folder of notes. Only a long list of sentences, one a line, is not. A file
    that is the whole source holds many documents: its paragraphs where blank lines stand between them, else its lines,
    unless these are wrapped at the same width.

    Args:
        sample: Its beginning.
        is_alone: Whether it is the whole source.

    Returns:
        The unit, and why.
    """
    lines = [line.strip() for line in sample.text.strip().splitlines()]
    filled = [line for line in lines if line]
    sentence_share = sum(line.endswith(_ENDS_A_SENTENCE) for line in filled) / max(1, len(filled))
    has_blanks = len(filled) < len(lines)
    if (
        not has_blanks
        and sentence_share >= _SENTENCE_SHARE
        and len(filled) >= (2 if is_alone else _MIN_LINES_IN_FOLDER)
    ):
        return "line", "each line is a sentence, and no line is blank"
    if not is_alone:
        return "document", "a file among others is one document"
    if has_blanks:
        return "paragraph", "blank lines stand between its paragraphs"
    if len(filled) > 1 and not _are_wrapped(filled):
        return "line", "no line is blank, and their lengths differ"
    return "document", "its lines are of one width, and no line is blank"


def _are_wrapped(lines: list[str]) -> bool:
    """Whether lines look like running text that an editor broke at a width: most are about as long as the longest."""
    lengths = sorted(map(len, lines[:-1]))
    return lengths[len(lengths) // 4] >= _WRAPPED_SHARE * lengths[-1] and lengths[-1] <= _MAX_WIDTH


def read_plain_text(path: Path, file: str, sample: Sample, unit: Unit) -> Iterator[Document]:
    """Read a file, never more than a document of it in memory.

    Args:
        path: The file, compressed or not.
        file: What its documents call it.
        sample: Its beginning.
        unit: ``line``, ``paragraph`` or ``document``.

    Yields:
        Documents that are not blank. The first of a file that is one document has the file's id, others file and line.

    Raises:
        UnreadableError: A NUL byte shows that it is binary.
    """
    last, num_pieces = 0, 0
    for line, text in _pieces(path, sample.encoding, unit):
        _refuse_binary(text)
        stripped = text.strip()
        if stripped:
            first = line + text[: len(text) - len(text.lstrip())].count("\n")
            last, num_pieces = first, num_pieces + 1 if first == last else 1
            is_whole = unit == "document" and line == 1 and num_pieces == 1
            part = f"#{num_pieces}" if num_pieces > 1 else ""  # of a line that was cut
            id_ = file if is_whole else f"{file}:{first}{part}"
            yield Document(id=id_, text=stripped, file=file, line=first, line_marks=((0, first),))


def _pieces(path: Path, encoding: str, unit: Unit) -> Iterator[tuple[int, str]]:
    """Cut a file into pieces of bounded size, each with the number of its first line."""
    first = number = 1
    pieces: list[str] = []
    num_characters = 0
    with _open_text(path, encoding) as stream:
        while line := stream.readline(MAX_CHARACTERS):
            if num_characters + len(line) > MAX_CHARACTERS:
                yield first, "".join(pieces)
                pieces.clear()
                first, num_characters = number, 0
            pieces.append(line)
            num_characters += len(line)
            number += line.endswith("\n")
            if unit == "line" or (unit == "paragraph" and line.isspace()):
                yield first, "".join(pieces)
                pieces.clear()
                first, num_characters = number, 0
    yield first, "".join(pieces)


@contextlib.contextmanager
def _open_text(path: Path, encoding: str) -> Generator[IO[str]]:
    with open_bytes(path) as stream, io.TextIOWrapper(stream, encoding, FALLBACK) as text:
        yield text


def _refuse_binary(text: str) -> None:
    if "\0" in text:
        raise UnreadableError("binary", "it holds NUL bytes")
