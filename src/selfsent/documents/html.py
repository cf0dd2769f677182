"""HTML: what a reader of the page reads, without navigation, scripts, page headers and footers."""

import re
from collections import Counter
from typing import TYPE_CHECKING

from selfsent.documents.blocks import Blocks
from selfsent.documents.charset import decode_declared

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_NEVER_TEXT = frozenset(
    {
        "head",
        "script",
        "style",
        "noscript",
        "template",
        "svg",
        "iframe",
        "object",
        "select",
        "textarea",
        "button",
        "-comment",
    }
)
_BOILERPLATE = frozenset({"nav", "header", "footer", "aside", "dialog"})
_BOILERPLATE_ROLES = frozenset({"navigation", "banner", "contentinfo", "search", "complementary", "menu", "dialog"})
_BOILERPLATE_CLASSES = frozenset(
    {"headerlink", "sphinxsidebar", "sidebar", "breadcrumb", "breadcrumbs", "skip-link", "linenos"}
)
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "div", "dl",
    "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "html", "legend", "li", "main", "nav",
    "ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul",
})  # fmt: skip
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_LEAST_CONTENTS = 3
_WHITE_SPACE = re.compile(r"[ \t\r\n\f]+")
_SPACES = re.compile(r"[ \u00a0]+")
_SPACES_AROUND_BREAKS = re.compile(r" *([\n\t]) *")


def read_html(data: bytes) -> Blocks:
    """Read a page: its main part where it marks one, else its body; the title is that of ``<title>`` or ``<h1>``.

    A page that has no text without navigation is read with it.
    """
    blocks = Blocks()
    add_page(decode_declared(data), blocks)
    return blocks


def add_page(html: str, blocks: Blocks) -> None:
    """Add the text of a page to blocks; its title is taken where they have none."""
    from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415 only this format needs it

    page = LexborHTMLParser(html)
    if not blocks.title and (title := page.css_first("head > title")):
        blocks.title = title.text()
    body = page.body or page.root
    num_before = len(blocks)
    marked = _only(page.css("main, [role=main]")), _only(page.css("article")), body
    for root, with_boilerplate in (*((part, False) for part in marked), (body, True)):
        if root is not None and len(blocks) == num_before:
            _Walk(blocks, with_boilerplate=with_boilerplate).walk(root)


def _only(nodes: "list[LexborNode]") -> "LexborNode | None":
    return nodes[0] if len(nodes) == 1 else None


class _Walk:
    """Walks over the nodes of a part of a page in the order of reading, with a stack of its own: pages nest deeply."""

    def __init__(self, blocks: Blocks, *, with_boilerplate: bool) -> None:
        self._blocks = blocks
        self._with_boilerplate = with_boilerplate
        self._pieces: list[str] = []
        self._open: Counter[str] = Counter()
        self._is_layout: list[bool] = []

    def walk(self, root: "LexborNode") -> None:
        stack: list[tuple[LexborNode, bool]] = [(root, False)]
        while stack:
            node, is_done = stack.pop()
            tag = node.tag or ""
            if is_done:
                self._leave(tag)
            elif tag == "-text":
                self._text(node.text_content or "")
            elif tag not in _NEVER_TEXT and not self._is_boilerplate(node, tag):
                self._enter(node, tag)
                stack.append((node, True))
                stack.extend((child, False) for child in reversed(list(node.iter(include_text=True))))
        self._flush()

    def _is_boilerplate(self, node: "LexborNode", tag: str) -> bool:
        if self._with_boilerplate:
            return False
        if tag in _BOILERPLATE and not (tag == "header" and (self._open["main"] or self._open["article"])):
            return True
        if tag in {"ul", "ol"} and _leads_around_the_page(node):
            return True
        attributes = node.attributes
        return bool(attributes) and (
            "hidden" in attributes
            or attributes.get("aria-hidden") == "true"
            or attributes.get("role") in _BOILERPLATE_ROLES
            or not _BOILERPLATE_CLASSES.isdisjoint((attributes.get("class") or "").split())
        )

    def _enter(self, node: "LexborNode", tag: str) -> None:
        if tag == "table":
            self._is_layout.append(node.css_first("h1, h2, h3, h4, pre, ul, ol, table table") is not None)
        if tag == "br":
            self._pieces.append("\n")
        elif tag in {"td", "th"} and self._in_row():
            self._pieces.append("\t")
        elif tag in _BLOCKS or tag in _HEADINGS or tag in {"td", "th"}:
            self._end_block()
        self._open[tag] += 1

    def _leave(self, tag: str) -> None:
        if tag in _HEADINGS:
            self._flush(level=_HEADINGS[tag])
        elif tag == "pre" and self._open["pre"] == 1:
            self._blocks.code("".join(self._pieces))
            self._pieces.clear()
        elif tag == "tr" and self._in_row():
            self._blocks.row(_collapsed("".join(self._pieces)))
            self._pieces.clear()
        elif tag in _BLOCKS:
            self._end_block()
        if tag == "table":
            self._is_layout.pop()
        self._open[tag] -= 1

    def _in_row(self) -> bool:
        """Inside a row of a table that holds data: a table that holds headings or lists only places them."""
        return bool(self._open["tr"] and self._is_layout and not self._is_layout[-1])

    def _end_block(self) -> None:
        if self._in_row() or self._open["pre"]:
            self._pieces.append(" " if self._in_row() else "\n")
        else:
            self._flush()

    def _text(self, text: str) -> None:
        self._pieces.append(text if self._open["pre"] else _WHITE_SPACE.sub(" ", text))

    def _flush(self, *, level: int = 0) -> None:
        text = _collapsed("".join(self._pieces))
        self._pieces.clear()
        if level:
            self._blocks.heading(text, level)
        else:
            self._blocks.paragraph(text)


def _leads_around_the_page(node: "LexborNode") -> bool:
    """Tell whether a list is nothing but links to places of the same page: its table of contents."""
    links = node.css("a")
    if len(links) < _LEAST_CONTENTS or not all((link.attributes.get("href") or "").startswith("#") for link in links):
        return False
    return sum(len("".join(link.text().split())) for link in links) == len("".join(node.text().split()))


def _collapsed(text: str) -> str:
    text = _SPACES_AROUND_BREAKS.sub(lambda found: found.group(1), _SPACES.sub(" ", text))
    return text.strip()
