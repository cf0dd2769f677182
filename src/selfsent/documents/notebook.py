"""Notebooks: cells of Markdown as text, cells of code as code; what the code printed is not read."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from selfsent.documents.blocks import Blocks
from selfsent.documents.charset import decode
from selfsent.documents.markdown import add_markdown
from selfsent.documents.skipped import UnreadableError


def read_notebook(data: bytes) -> Blocks:
    """Read the cells of a Jupyter notebook (formats 3 and 4)."""
    notebook = json.loads(decode(data))
    if not isinstance(notebook, Mapping) or not {"cells", "worksheets"}.intersection(notebook):
        raise UnreadableError("broken", "it is JSON, but not a notebook: it has no cells")
    blocks = Blocks()
    for cell in _cells(notebook):
        source = cell.get("source", cell.get("input", ""))
        text = source if isinstance(source, str) else "".join(source)
        match cell.get("cell_type"):
            case "markdown":
                add_markdown(text, blocks, with_lines=False)
            case "code":
                blocks.code(text)
            case "heading":
                blocks.heading(text, int(cell.get("level", 1)))
            case _:
                blocks.paragraph(text)
    return blocks


def _cells(notebook: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from notebook.get("cells", ())
    for worksheet in notebook.get("worksheets", ()):
        yield from worksheet.get("cells", ())
