"""Markdown: its text without markup; headings, code and lines are recorded."""

import re
from typing import TYPE_CHECKING

from selfsent.documents.blocks import Blocks
from selfsent.documents.charset import decode
from selfsent.documents.html import add_page

if TYPE_CHECKING:
    from markdown_it.token import Token

_FRONT_MATTER = re.compile(
    r"\A(---|\+\+\+)[ \t]*\n(?=[\w#\"'-]+[^\n]*[:=]|#)(.*?\n)(?:\1|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL
)
_TITLE = re.compile(r"^title[ \t]*[:=][ \t]*(['\"]?)(.*?)\1[ \t]*$", re.MULTILINE | re.IGNORECASE)
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


def read_markdown(data: bytes) -> Blocks:
    """Read Markdown (CommonMark with tables); the title is that of the front matter, else the first heading."""
    blocks = Blocks()
    add_markdown(decode(data), blocks)
    return blocks


def add_markdown(text: str, blocks: Blocks, *, with_lines: bool = True) -> None:
    """Add the text of a Markdown file, or of a cell of a notebook, to blocks."""
    from markdown_it import MarkdownIt  # noqa: PLC0415 only this format needs it

    text = text.replace("\r\n", "\n").replace("\r", "\n")
    front = _FRONT_MATTER.match(text) if with_lines else None
    if front and (title := _TITLE.search(front.group(2))):
        blocks.title = title.group(2)
    num_skipped = front.group().count("\n") if front else 0
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    walk = _Walk(blocks, first_line=num_skipped + 1 if with_lines else None)
    for token in parser.parse(text[front.end() :] if front else text):
        walk.add(token)


class _Walk:
    """Turns the tokens of a parsed file into blocks."""

    def __init__(self, blocks: Blocks, *, first_line: int | None) -> None:
        self._blocks = blocks
        self._first_line = first_line
        self._heading_level = 0
        self._cells: list[str] | None = None

    def add(self, token: "Token") -> None:
        line = self._first_line + token.map[0] if self._first_line is not None and token.map else None
        match token.type:
            case "heading_open":
                self._heading_level = int(token.tag[1:])
            case "heading_close":
                self._heading_level = 0
            case "tr_open":
                self._cells = []
            case "tr_close":
                self._blocks.row("\t".join(self._cells or []))
                self._cells = None
            case "fence" | "code_block":
                is_fence = line is not None and token.type == "fence"
                self._blocks.code(token.content, line + 1 if is_fence and line is not None else line)
            case "html_block":
                add_page(token.content, self._blocks)
            case "inline":
                self._add_inline(token, line)
            case _:
                pass

    def _add_inline(self, token: "Token", line: int | None) -> None:
        children = token.children or []
        text = "".join(_text_of(child) for child in children)
        if self._cells is not None:
            self._cells.append(" ".join(text.split()))
        elif self._heading_level:
            self._blocks.heading(text, self._heading_level, line)
        elif not _are_badges(children):
            self._blocks.paragraph(text, line)


def _text_of(token: "Token") -> str:
    match token.type:
        case "softbreak" | "hardbreak":
            return "\n"
        case "html_inline":
            return "\n" if _BREAK.fullmatch(token.content) else ""
        case _:
            return token.content


def _are_badges(tokens: "list[Token]") -> bool:
    """Tell whether a paragraph is nothing but pictures that are links: build states, versions and the like."""
    kinds = {
        token.type
        for token in tokens
        if token.type != "html_inline" and (token.type != "text" or token.content.strip())
    }
    return {"image", "link_open"} <= kinds <= {"image", "link_open", "link_close", "softbreak", "hardbreak"}
