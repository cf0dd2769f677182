"""Readers of aligned texts: gettext catalogues (.po) and files aligned line by line, beside translation memories.

Each yields where a record stands and its texts by language, the source language first.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path

from selfsent.data.columns import layout_of, row_of
from selfsent.data.compression import byte_lines, format_suffixes
from selfsent.data.formats import BadRecord, is_readable, read_records, read_txt, without_blanks
from selfsent.data.languages import is_language_code, normal_code, unknown_code
from selfsent.data.parallel.translation_memory import AlignedRecords, LanguageTexts, read_tmx
from selfsent.errors import UserError

PREFIX = "parallel:"
"""What a source of translations begins with, see `selfsent.data.parallel.parallel_sources`."""

_CHARSET = re.compile(rb"charset=([\w.:-]+)")
_PO_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"\s*$')
_PO_KEYWORD = re.compile(r"(msgctxt|msgid_plural|msgid|msgstr\[(\d+)\]|msgstr)\s+(.*)")
_PO_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}
PO_SOURCE_LANGUAGE = "en"
"""What gettext takes the language of ``msgid`` to be; a catalogue does not name it."""


def read_po(path: Path) -> AlignedRecords:
    """Yield the translated messages of a gettext catalogue, from English to the language its header names.

    Untranslated, obsolete and fuzzy messages are left out. Of a message with a plural the singular counts, and the
    plural too where the language has two forms.

    Args:
        path: A ``.po`` file.

    Raises:
        UserError: While iterating: the header is missing or names no language, or a line is not of a catalogue.
    """
    language = ""
    for line, entry in _po_entries(path):
        if isinstance(entry, BadRecord):
            yield line, entry
        elif not entry.get("msgid"):
            language = _po_language(entry.get("msgstr", ""), path)
        elif not language:
            raise UserError(f'{path}, line {line}: a message before any header; a .po file begins with msgid ""')
        else:
            yield from ((line, {PO_SOURCE_LANGUAGE: one, language: other}) for one, other in _po_pairs(entry))


def _po_pairs(entry: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if "msgid_plural" not in entry:
        pairs = [(entry["msgid"], entry.get("msgstr", ""))]
    else:
        pairs = [(entry["msgid"], entry.get("msgstr[0]", ""))]
        if "msgstr[1]" in entry and "msgstr[2]" not in entry:
            pairs.append((entry["msgid_plural"], entry["msgstr[1]"]))
    for one, other in pairs:
        source, target = " ".join(one.split()), " ".join(other.split())
        if source and target:
            yield source, target


def _po_language(header: str, path: Path) -> str:
    found = re.search(r"^Language:(.*)$", header, re.MULTILINE)
    code = found[1].strip() if found else ""
    if not code:
        raise UserError(f'{path} does not name its language; add "Language: de\\n" to its header')
    normal = normal_code(code)
    if not is_language_code(normal):
        raise UserError(f"{path}: {unknown_code(code)}")
    return normal


def _po_entries(path: Path) -> Iterator[tuple[int, dict[str, str] | BadRecord]]:
    """Yield the entries by keyword, with the line of their ``msgid``.

    Fuzzy entries are left out, and so are those with a line that cannot be read; the header always counts.
    """
    charset = _po_charset(path)
    entry = _PoEntry()
    for number, raw in byte_lines(path):
        line = _po_line(raw, charset)
        if isinstance(line, BadRecord):
            entry.is_left_out = True
            yield number, line
            continue
        match = _PO_KEYWORD.match(line)
        if (line.startswith("#") or (match and match[1] in ("msgctxt", "msgid"))) and entry.is_whole:
            yield from entry.finished()
            entry = _PoEntry()
        if line.startswith("#"):
            entry.is_left_out |= line.startswith("#,") and "fuzzy" in line
        elif line and not entry.take(line, match, number):
            entry.is_left_out = True
            yield number, BadRecord(f"{line[:40]!r} is not a line of a .po file")
    yield from entry.finished()


class _PoEntry:
    """A message of a catalogue: its texts by keyword, as far as they have been read."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.line = 0
        self.is_left_out = False
        self._keyword = ""

    @property
    def is_whole(self) -> bool:
        """Whether its translation has begun, so that a further ``msgid`` begins the next."""
        return any(key.startswith("msgstr") for key in self.texts)

    def take(self, line: str, match: re.Match[str] | None, number: int) -> bool:
        """Take one line; false where it is not of a catalogue."""
        if match:
            self._keyword = match[1]
            self.line = number if match[1] == "msgid" else self.line
        text = _po_text(match[3] if match else line)
        if text is None or not self._keyword:
            return False
        self.texts[self._keyword] = self.texts.get(self._keyword, "") + text
        return True

    def finished(self) -> Iterator[tuple[int, dict[str, str]]]:
        """The entry, if it is one to use."""
        if self.is_whole and not (self.is_left_out and self.texts.get("msgid")):
            yield self.line, self.texts


def _po_charset(path: Path) -> str:
    """The encoding that the header names; UTF-8 where it names none."""
    for number, raw in byte_lines(path):
        found = _CHARSET.search(raw)
        if found:
            return found[1].decode("ascii")
        if number > 50:  # noqa: PLR2004 a header is short
            break
    return "utf8"


def _po_line(raw: bytes, charset: str) -> str | BadRecord:
    try:
        return raw.decode("utf8" if charset == "CHARSET" else charset).strip()
    except (UnicodeDecodeError, LookupError) as error:
        return BadRecord(f"is not {charset}, which the header names ({error}); convert the file with msgconv")


def _po_text(quoted: str) -> str | None:
    match = _PO_STRING.match(quoted)
    if match is None:
        return None
    return re.sub(r"\\(.)", lambda escape: _PO_ESCAPES.get(escape[1], escape[1]), match[1])


def read_aligned(files: Mapping[str, Path]) -> AlignedRecords:
    """Yield the texts of files that are aligned line by line.

    A file of a known format with several columns gives several texts a row, aligned column by column; any other name
    (``corpus.de``) is plain text.

    Args:
        files: The file of each language, the source language first.

    Raises:
        UserError: While iterating: a file cannot be read.
    """
    readers = [_texts_by_line(path) for path in files.values()]
    heads = [next(reader, None) for reader in readers]
    while any(heads):
        number = min(head[0] for head in heads if head is not None)
        cells = [head[1] if head is not None and head[0] == number else () for head in heads]
        yield from ((number, record) for record in _aligned(dict(zip(files, cells, strict=True)), files))
        heads = [
            next(reader, None) if head is not None and head[0] == number else head
            for reader, head in zip(readers, heads, strict=True)
        ]


def _aligned(
    cells: Mapping[str, tuple[str, ...] | BadRecord], files: Mapping[str, Path]
) -> Iterator[LanguageTexts | BadRecord]:
    """Make one record a column of one line."""
    good: dict[str, tuple[str, ...]] = {}
    for language, texts in cells.items():
        if isinstance(texts, BadRecord):
            yield BadRecord(f"{files[language].name}: {texts.reason}")
            return
        good[language] = texts
    for texts in zip_longest(*good.values(), fillvalue=""):
        empty = [language for language, text in zip(good, texts, strict=True) if not text]
        if empty:
            yield BadRecord(f"{files[empty[0]].name} is empty there, and {_others(files, empty[0])} is not")
        else:
            yield dict(zip(good, texts, strict=True))


def _others(files: Mapping[str, Path], language: str) -> str:
    return next(path.name for code, path in files.items() if code != language)


def _texts_by_line(path: Path) -> Iterator[tuple[int, tuple[str, ...] | BadRecord]]:
    """The texts of each line or row that is not blank."""
    if not is_readable(path) or format_suffixes(path)[0] == ".txt":
        for number, record in without_blanks(read_txt(path)):
            yield number, record if isinstance(record, BadRecord) else (str(record[0]).strip(),)  # pyright: ignore[reportArgumentType] a line is one cell
        return
    layout = None
    for number, record in read_records(path):
        if isinstance(record, BadRecord):
            yield number, record
            continue
        if layout is None:
            layout = layout_of(record, None, f"{path}, line {number}")
            if layout.has_header:
                continue
        row = row_of(record, layout)
        if isinstance(row, BadRecord):
            yield number, row
        elif row is not None:
            yield number, tuple(str(value) for name, value in row.items() if name not in ("label", "score"))


def check_equal_lengths(files: Mapping[str, Path]) -> None:
    """Require that aligned files have as many lines, or rows, as each other.

    Raises:
        UserError: Their numbers differ; all are named.
    """
    counts = {path: _num_lines(path) for path in files.values()}
    if len(set(counts.values())) > 1:
        named = ", ".join(f"{path.name} has {count:,}" for path, count in counts.items())
        raise UserError(
            f"aligned files need as many lines as each other: {named}; line i of one translates line i of the others"
        )


def _num_lines(path: Path) -> int:
    if not is_readable(path) or format_suffixes(path)[0] in (".txt", ".jsonl", ".tsv"):
        return sum(1 for _ in byte_lines(path))
    return sum(1 for _ in read_records(path))


UNITS: Mapping[str, Callable[[Path], AlignedRecords]] = {".tmx": read_tmx, ".po": read_po}
"""The readers of files that hold several languages and are not tables, by the ending of their names."""


def is_parallel(spec: str | Path) -> bool:
    """Tell whether a source holds translations by its name: it says ``parallel:``, or ends in ``.tmx`` or ``.po``."""
    name = str(spec)
    return name.startswith(PREFIX) or format_suffixes(Path(name))[0] in UNITS
