"""Blocks of a document in the order of reading: what every reader fills, and what a document is built from."""

import re
from dataclasses import dataclass, field
from typing import Literal

from selfsent.documents.document import Document, Heading, Span

_NOT_CHARACTERS = re.compile("[\0\ud800-\udfff\ufffe\uffff]")
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n)+")


def without_noncharacters(text: str) -> str:
    """Drop what no text holds: NUL, halves of surrogate pairs (no file and no store can hold them), noncharacters."""
    return _NOT_CHARACTERS.sub("", text)


@dataclass(frozen=True, kw_only=True)
class _Block:
    kind: Literal["heading", "paragraph", "row", "code"]
    text: str
    level: int
    line: int | None
    page: int


class Blocks:
    """Collects headings, paragraphs, rows of tables, code and page ends; blank ones are left out."""

    def __init__(self) -> None:
        self.title = ""
        """What the format itself says the title is, where it does."""
        self.is_encoding_guessed = False
        """The file is not valid UTF-8 and does not say what it is."""
        self.num_pages = 0
        self._blocks: list[_Block] = []

    def heading(self, text: str, level: int, line: int | None = None) -> None:
        """Add a heading; level 1 is the highest."""
        self._add("heading", " ".join(text.split()), level, line)

    def paragraph(self, text: str, line: int | None = None) -> None:
        """Add running text; its single line ends are kept."""
        self._add("paragraph", _BLANK_LINES.sub("\n", text.strip()), 0, line)

    def row(self, text: str, line: int | None = None) -> None:
        """Add the row of a table; rows that follow one another are one paragraph."""
        self._add("row", text.strip(), 0, line)

    def code(self, text: str, line: int | None = None) -> None:
        """Add a block of code as it stands."""
        self._add("code", text.strip("\r\n").rstrip(), 0, line)

    def page(self) -> None:
        """Begin a page."""
        self.num_pages += 1

    def _add(
        self, kind: Literal["heading", "paragraph", "row", "code"], text: str, level: int, line: int | None
    ) -> None:
        text = without_noncharacters(text)
        if text and not text.isspace():
            self._blocks.append(_Block(kind=kind, text=text, level=level, line=line, page=self.num_pages))

    def __len__(self) -> int:
        return len(self._blocks)

    def __bool__(self) -> bool:
        return bool(self._blocks or self.title)

    def document(self, *, id: str, file: str | None) -> Document:  # noqa: A002 the field is called so
        """Join the blocks, a blank line between two.

        The first heading is the title where the format names none, or where the heading says the same in short; it is
        then no part of the text.

        Args:
            id: The document's id.
            file: Its path in the source.
        """
        title, blocks = _split_title(" ".join(without_noncharacters(self.title).split()), self._blocks)
        text = _Text()
        for block in blocks:
            text.add(block)
        return Document(
            id=id,
            file=file,
            title=title,
            text="".join(text.pieces),
            line=blocks[0].line if blocks else None,
            headings=tuple(text.headings),
            code_spans=tuple(text.code_spans),
            line_marks=tuple(text.line_marks),
            page_starts=tuple(text.page_starts + [text.length] * (self.num_pages - len(text.page_starts))),
        )


@dataclass
class _Text:
    """The text so far, and what stands where in it."""

    pieces: list[str] = field(default_factory=list)
    length: int = 0
    headings: list[Heading] = field(default_factory=list)
    code_spans: list[Span] = field(default_factory=list)
    line_marks: list[tuple[int, int]] = field(default_factory=list)
    page_starts: list[int] = field(default_factory=list)
    _last_kind: str = ""

    def add(self, block: _Block) -> None:
        if self.pieces:
            self._append("\n" if self._last_kind == block.kind == "row" else "\n\n")
        start = self.length
        self._append(block.text)
        self._last_kind = block.kind
        self.page_starts.extend([start] * (block.page - len(self.page_starts)))
        if block.line is not None:
            self.line_marks.append((start, block.line))
        if block.kind == "heading":
            self.headings.append(Heading(start=start, end=self.length, level=block.level))
        elif block.kind == "code":
            self.code_spans.append((start, self.length))

    def _append(self, piece: str) -> None:
        self.pieces.append(piece)
        self.length += len(piece)


def _split_title(title: str, blocks: list[_Block]) -> tuple[str, list[_Block]]:
    number = next((number for number, block in enumerate(blocks) if block.kind == "heading"), None)
    if number is None:
        return title, blocks
    first = blocks[number]
    is_title = first.text.casefold() in title.casefold() if title else number == 0 or first.level == 1
    if not is_title:
        return title, blocks
    return first.text, blocks[:number] + blocks[number + 1 :]
