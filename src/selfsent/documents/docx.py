"""Word documents: headings, paragraphs, tables, footnotes, text boxes and inserted text, in the order of the file."""

from collections.abc import Iterator, Mapping
from typing import IO, Any

from selfsent.documents.archive import Archive, parse_xml
from selfsent.documents.blocks import Blocks

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_STRICT_W = "{http://purl.oclc.org/ooxml/wordprocessingml/main}"
_TEXTS = {"t": None, "tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_NOTES = ("word/footnotes.xml", "word/endnotes.xml")


def read_docx(stream: IO[bytes]) -> Blocks:
    """Read a ``.docx`` file; the title is its paragraph of style Title, else its first heading."""
    archive = Archive(stream)
    styles = _heading_levels(archive)
    blocks = Blocks()
    _add_body(_parse(archive.read("word/document.xml")), styles, blocks)
    for name in _NOTES:
        if name in archive:
            _add_body(_parse(archive.read(name)), styles, blocks)
    return blocks


def _parse(xml: bytes) -> Any:
    return parse_xml(xml.replace(_STRICT_W[1:-1].encode(), _W[1:-1].encode()))


def _heading_levels(archive: Archive) -> Mapping[str, int]:
    """Map the ids of styles to the level of heading: 0 is the document's title. Names are English in every language."""
    if "word/styles.xml" not in archive:
        return {}
    levels: dict[str, int] = {}
    for style in _parse(archive.read("word/styles.xml")).iter(f"{_W}style"):
        name = str(next((node.get(f"{_W}val") for node in style.iter(f"{_W}name")), "")).lower()
        if name == "title":
            levels[style.get(f"{_W}styleId")] = 0
        elif name.startswith("heading ") and name[-1].isdigit():
            levels[style.get(f"{_W}styleId")] = int(name[-1])
    return levels


def _add_body(root: Any, levels: Mapping[str, int], blocks: Blocks) -> None:
    in_tables: set[Any] = set()
    for node in root.iter(f"{_W}p", f"{_W}tr"):
        if node.tag == f"{_W}tr":
            if node not in in_tables:
                in_tables.update(node.iter(f"{_W}p", f"{_W}tr"))
                cells = [cell for cell in node.iter(f"{_W}tc") if next(cell.iterancestors(f"{_W}tr")) is node]
                blocks.row("\t".join(" ".join(_texts_of(cell)) for cell in cells))
        elif node not in in_tables:
            _add_paragraph(node, levels, blocks)


def _texts_of(cell: Any) -> Iterator[str]:
    yield from (text for paragraph in cell.iter(f"{_W}p") if (text := _text_of(paragraph).strip()))


def _add_paragraph(paragraph: Any, levels: Mapping[str, int], blocks: Blocks) -> None:
    style = paragraph.find(f"{_W}pPr/{_W}pStyle")
    level = levels.get(style.get(f"{_W}val")) if style is not None else None
    text = _text_of(paragraph)
    if level is None:
        blocks.paragraph(text)
    elif level == 0 and not blocks.title:
        blocks.title = text
    else:
        blocks.heading(text, max(1, level))


def _text_of(paragraph: Any) -> str:
    """Join the runs of a paragraph, without those of its text boxes, which are paragraphs of their own."""
    pieces: list[str] = []
    for node in paragraph.iter(*(_W + name for name in _TEXTS)):
        owner = next(node.iterancestors(f"{_W}p"))
        if owner is paragraph:
            mark = _TEXTS[node.tag.removeprefix(_W)]
            pieces.append((node.text or "") if mark is None else mark)
    return "".join(pieces)
