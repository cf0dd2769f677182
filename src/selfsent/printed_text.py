"""Print texts as they are: never as markup, never as a command to the terminal.

Names, paths, notes and texts are data. What rich would take for a style (``m[red]v2``), for an emoji (``a:key:b``) or
for a link stays what it is, and a control character is shown as its escape instead of reaching the terminal.
"""

import re
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text
from typing_extensions import override

if TYPE_CHECKING:
    from tqdm.auto import tqdm

T = TypeVar("T")

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")  # and overrides of direction
_CONTROL_BUT_LAYOUT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_MARKDOWN = re.compile(r"[\\`*|<>&~\[]|(?<!\w)_|_(?!\w)|:(?=[\w+-]+:)")
_PIPE_WIDTH = 120
"""Columns of a table that is not shown on a terminal."""
_AFTER_S = 2.0


def visible(text: object, *, lines: bool = False) -> str:
    r"""Write control characters as escapes (``\x1b``), so that a text cannot control a terminal or fake a line.

    Args:
        text: What to print.
        lines: Keep line breaks and tabs, for a text that may take several lines.
    """
    if lines:
        return _CONTROL_BUT_LAYOUT.sub(_escaped, str(text).replace("\r\n", "\n"))
    return _CONTROL.sub(_escaped, str(text))


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def plain(text: object, style: str = "") -> Text:
    """Make a text renderable as it is.

    Args:
        text: What to print.
        style: How all of it looks, such as ``bold``.
    """
    return Text(visible(text, lines=True), style=style)


def in_pieces(pieces: Iterable[tuple[str, str]]) -> Text:
    """Make a text of several looks renderable as it is.

    Args:
        pieces: One after another, each with its style.
    """
    return Text.assemble(*((visible(text, lines=True), style) for text, style in pieces))


def in_markdown(text: object) -> str:
    """Escape a text for a line of Markdown or a cell of its tables."""
    return _MARKDOWN.sub(r"\\\g<0>", visible(text))


class TextTable(Table):
    """A table of texts that are shown as they are.

    Args:
        title: A line above it.
        caption: Lines below it.
        is_plain: Whether columns stand without lines and margins.
        has_lines: Whether rows are parted by lines.
        has_header: Whether the headings are shown.
    """

    def __init__(
        self,
        *,
        title: str = "",
        caption: str = "",
        is_plain: bool = False,
        has_lines: bool = False,
        has_header: bool = True,
    ) -> None:
        frame: dict[str, Any] = {"box": None, "pad_edge": False} if is_plain else {}
        frame |= {"show_lines": has_lines, "show_header": has_header}
        super().__init__(title_justify="left", caption_justify="left", **frame)
        self.title = plain(title, "table.title") if title else None
        self.caption = plain(caption, "table.caption") if caption else None

    @override
    def add_column(self, header: RenderableType = "", *args: Any, **kwargs: Any) -> None:
        super().add_column(_rendered(header), *args, **kwargs)

    @override
    def add_row(self, *renderables: RenderableType | None, **kwargs: Any) -> None:
        super().add_row(*map(_rendered, renderables), **kwargs)


def _rendered(cell: Any) -> Any:
    return plain(cell) if isinstance(cell, str) else cell


def show(*renderables: RenderableType) -> None:
    """Print texts and tables to standard output; a text is not wrapped, so that a path in it can be copied."""
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    console = Console(width=width, markup=False, emoji=False, highlight=False)
    for renderable in renderables:
        console.print(_rendered(renderable), soft_wrap=isinstance(renderable, str))


def progress_bar(items: Iterable[T] | None = None, *, what: str, unit: str, total: int | None = None) -> "tqdm[T]":
    """Make a bar for a terminal, shown once something takes over two seconds; elsewhere nothing is shown.

    It iterates over ``items``, or is told with ``update`` how far ``total`` has come.

    Args:
        items: What is done one after the other.
        what: What is being done.
        unit: What one item is.
        total: How many items there are, where they are not given or do not know.
    """
    from tqdm.auto import tqdm  # noqa: PLC0415 a search, which shows no bar, need not wait for it

    bar: Any = tqdm(items, desc=visible(what), unit=unit, total=total, delay=_AFTER_S, leave=False, disable=None)
    return bar
