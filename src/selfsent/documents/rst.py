"""reStructuredText, read lightly: the directives of Sphinx and of anyone else are text too, which docutils refuses."""

import re

from selfsent.data.prose import without_markup
from selfsent.documents.blocks import Blocks
from selfsent.documents.charset import decode

_UNDERLINE = re.compile(r"([=\-~^\"'`#*+.:_<>!$%&,;?@])\1{2,}\s*")
_DIRECTIVE = re.compile(r"\.\.\s+(?:\|[^|]*\|\s*)?([\w:.+-]*\w)::(?:\s+(.*))?$")
_FOOTNOTE = re.compile(r"\.\.\s+\[[^\]]+\]\s+")
_OPTION = re.compile(r":[\w-]+:(\s|$)")
_FIELD = re.compile(r":([^:`\n]+):(?:\s+|$)")
_BULLET = re.compile(r"(?:[-*+•]|\(?(?:\d+|#|[a-zA-Z])[.)]|\|)\s+")
_CODE_DIRECTIVE = re.compile(
    r"code|code-block|sourcecode|prompt|parsed-literal|doctest|test(?:code|setup|output)|ipython|plot|math|graphviz"
    r"|productionlist|raw|jupyter-execute"
)
_NOT_TEXT_DIRECTIVE = re.compile(
    r"toctree|image|(?:literal)?include|index|contents|highlight|(?:py:)?(?:current)?module|meta|auto\w+|(?:default-)?role"
    r"|sectnum|tabularcolumns|replace|unicode|date|codeauthor"
)


def read_rst(data: bytes) -> Blocks:
    """Read reStructuredText; the title is the first heading."""
    blocks = Blocks()
    _Walk(decode(data).expandtabs().splitlines(), blocks).walk()
    return blocks


class _Walk:
    """Walks over the lines of a file; each method takes the lines of what it reads, from the current one on."""

    def __init__(self, lines: list[str], blocks: Blocks) -> None:
        self._lines = lines
        self._blocks = blocks
        self._number = 0
        self._styles: list[str] = []

    def walk(self) -> None:
        while self._number < len(self._lines):
            text = self._lines[self._number].strip()
            if not text:
                self._number += 1
            elif not self._is_heading():
                self._read(text)

    def _read(self, text: str) -> None:
        if text.startswith(".. ") or text == "..":
            self._read_explicit(text)
        elif text.startswith(">>>"):
            self._add_code(self._take_to_blank())
        elif text.startswith("+-") or (_UNDERLINE.fullmatch(text.split(maxsplit=1)[0]) and len(text.split()) > 1):
            self._read_table()
        elif _UNDERLINE.fullmatch(text):
            self._number += 1
        else:
            self._read_paragraph()

    def _line(self, ahead: int = 0) -> str:
        number = self._number + ahead
        return self._lines[number] if number < len(self._lines) else ""

    def _is_heading(self) -> bool:
        """Read a heading, if one begins here: a line with a line of equal marks below it, or below and above."""
        first, second, third = (self._line(ahead) for ahead in range(3))
        if _UNDERLINE.fullmatch(first) and second.strip() and third.rstrip() == first.rstrip():
            style, text, num_lines = first[0] * 2, second, 3
        elif _UNDERLINE.fullmatch(second) and not first[0].isspace() and not _UNDERLINE.fullmatch(first):
            style, text, num_lines = second[0], first, 2
        else:
            return False
        if style not in self._styles:
            self._styles.append(style)
        line = self._number + num_lines - 1
        self._blocks.heading(without_markup(text.strip()), self._styles.index(style) + 1, line)
        self._number += num_lines
        return True

    def _read_explicit(self, text: str) -> None:
        """Read what begins with two dots: a directive, a footnote, or something that is not text."""
        indent = _indent(self._line())
        if directive := _DIRECTIVE.match(text):
            name, argument = directive.group(1).lower(), directive.group(2) or ""
            self._number += 1
            if _NOT_TEXT_DIRECTIVE.fullmatch(name):
                self._take_deeper(indent)
                return
            self._skip_options()
            if _CODE_DIRECTIVE.fullmatch(name):
                self._add_code(self._take_deeper(indent))
            elif argument and name != "figure":  # a note often begins on the line of its name
                self._number -= 1
                self._lines[self._number] = " " * indent + argument
                self._read_paragraph()
        elif footnote := _FOOTNOTE.match(text):
            self._lines[self._number] = " " * indent + text[footnote.end() :]
            self._read_paragraph()
        else:
            self._number += 1
            if text != ".." or self._line().strip():  # two dots alone end a block and are an empty comment
                self._take_deeper(indent)

    def _skip_options(self) -> None:
        while _OPTION.match(self._line().strip()):
            self._number += 1

    def _read_table(self) -> None:
        """Read a grid table, or a simple one, a line of it as a row."""
        is_grid = self._line().lstrip().startswith("+")
        num_borders = 0
        while self._number < len(self._lines):
            text = self._line().strip()
            is_border = bool(text) and set(text) <= set("+-=| ")
            num_borders += is_border
            self._number += 1
            if text and not is_border:
                cells = text.strip("|").split("|") if is_grid else re.split(r"\s{2,}", text)
                self._blocks.row("\t".join(without_markup(cell.strip()) for cell in cells), self._number)
            ends = not text if is_grid else num_borders > 1 and is_border and not self._line().strip()
            if ends:
                return

    def _read_paragraph(self) -> None:
        """Read lines up to a blank one, a list's next item or a heading; two colons at the end announce code."""
        first, indent = self._number, _indent(self._line())
        texts = [self._without_mark(self._line().strip())]
        self._number += 1
        while (text := self._line().strip()) and not _starts_anew(text) and not _UNDERLINE.fullmatch(self._line(1)):
            texts.append(text)
            self._number += 1
        paragraph = "\n".join(texts)
        announces_code = paragraph.endswith("::")
        if announces_code:
            paragraph = (
                paragraph[:-1] if paragraph != "::" and not paragraph[:-2].endswith((" ", "\n")) else paragraph[:-2]
            )
        self._blocks.paragraph(without_markup(paragraph), first + 1)
        if announces_code:
            self._add_code(self._take_deeper(indent))

    @staticmethod
    def _without_mark(text: str) -> str:
        if field := _FIELD.match(text):
            rest = text[field.end() :]
            return f"{field.group(1)}: {rest}" if rest else ""
        return text[bullet.end() :] if (bullet := _BULLET.match(text)) else text

    def _take_to_blank(self) -> tuple[int, list[str]]:
        first = self._number
        while self._line().strip():
            self._number += 1
        return first, self._lines[first : self._number]

    def _take_deeper(self, indent: int) -> tuple[int, list[str]]:
        """Take the lines that stand deeper than ``indent``, blank ones between them too."""
        while self._number < len(self._lines) and not self._line().strip():
            self._number += 1
        first = last = self._number
        while self._number < len(self._lines) and (not self._line().strip() or _indent(self._line()) > indent):
            self._number += 1
            if self._lines[self._number - 1].strip():
                last = self._number
        return first, self._lines[first:last]

    def _add_code(self, taken: tuple[int, list[str]]) -> None:
        first, lines = taken
        indent = min((_indent(line) for line in lines if line.strip()), default=0)
        self._blocks.code("\n".join(line[indent:] for line in lines), first + 1)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _starts_anew(text: str) -> bool:
    return bool(_BULLET.match(text) or _FIELD.match(text) or text.startswith((".. ", ">>>", "+-")))
