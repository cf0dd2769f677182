"""Which reader reads which file, by the name of the file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from selfsent.data.compression import COMPRESSIONS, format_suffixes, open_bytes
from selfsent.documents.archive import MAX_UNPACKED_BYTES
from selfsent.documents.blocks import Blocks
from selfsent.documents.charset import is_guessed
from selfsent.documents.docx import read_docx
from selfsent.documents.epub import read_epub
from selfsent.documents.html import read_html
from selfsent.documents.markdown import read_markdown
from selfsent.documents.notebook import read_notebook
from selfsent.documents.pdf import read_pdf
from selfsent.documents.rst import read_rst
from selfsent.documents.skipped import UnreadableError

_MAX_MARKUP_BYTES = 32 * 2**20
_MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class FileFormat:
    """How the files of a format are read as a whole.

    Args:
        read: From the open file to its blocks.
        is_text: A text file, which may be compressed and must not hold NUL bytes.
        may_hold_pictures: Files without text are likely to be pictures of text.
    """

    read: Callable[[IO[bytes]], Blocks]
    is_text: bool
    may_hold_pictures: bool = False


def _markup(read: Callable[[bytes], Blocks], *, max_bytes: int = _MAX_MARKUP_BYTES) -> FileFormat:
    def read_stream(stream: IO[bytes]) -> Blocks:
        data = _bounded(stream, max_bytes)
        blocks = read(data)
        blocks.is_encoding_guessed = is_guessed(data)
        return blocks

    return FileFormat(read=read_stream, is_text=True)


def _bounded(stream: IO[bytes], max_bytes: int) -> bytes:
    data = stream.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise UnreadableError("too large when unpacked", f"it holds more than {max_bytes // _MIB} MiB; cut it in parts")
    if b"\0" in data and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableError("binary", "it holds NUL bytes")
    return data


_MARKDOWN, _HTML = _markup(read_markdown), _markup(read_html, max_bytes=2 * _MAX_MARKUP_BYTES)

WHOLE_FILES: dict[str, FileFormat] = {
    ".md": _MARKDOWN,
    ".markdown": _MARKDOWN,
    ".rst": _markup(read_rst),
    ".html": _HTML,
    ".htm": _HTML,
    ".xhtml": _HTML,
    ".ipynb": _markup(read_notebook, max_bytes=MAX_UNPACKED_BYTES),
    ".pdf": FileFormat(read=read_pdf, is_text=False, may_hold_pictures=True),
    ".docx": FileFormat(read=read_docx, is_text=False, may_hold_pictures=True),
    ".epub": FileFormat(read=read_epub, is_text=False, may_hold_pictures=True),
}
PLAIN_TEXT = ".txt"
TABLES = frozenset({".jsonl", ".csv", ".tsv", ".parquet"})

KNOWN_NAMES = (
    f"{', '.join([PLAIN_TEXT, *WHOLE_FILES, *sorted(TABLES)])}; those of text also with {', '.join(COMPRESSIONS)}"
)


def suffix_of(path: Path) -> str:
    """Give the suffix that says what a file is, without that of a compression; nothing where it is not known."""
    suffix, compression = format_suffixes(path)
    whole_file = WHOLE_FILES.get(suffix)
    if whole_file is not None:
        return suffix if whole_file.is_text or not compression else ""
    return suffix if suffix == PLAIN_TEXT or suffix in TABLES else ""


def read_whole_file(path: Path) -> Blocks:
    """Read a file that is one document.

    Args:
        path: A file whose suffix is among ``WHOLE_FILES``.

    Raises:
        UnreadableError: It holds nothing that can be read.
    """
    whole_file = WHOLE_FILES[suffix_of(path)]
    with open_bytes(path) as stream:
        try:
            blocks = whole_file.read(stream)
        except ModuleNotFoundError as error:
            raise UnreadableError(
                "reader not installed", f"it needs {error.name}: pip install 'selfsent[files]'"
            ) from error
    if not blocks:
        raise UnreadableError("no text in it (scanned?)" if whole_file.may_hold_pictures else "empty")
    return blocks
