import json

import pytest

from selfsent.documents.document import Document
from selfsent.documents.notebook import read_notebook
from selfsent.documents.skipped import UnreadableError


def read(notebook: object) -> Document:
    return read_notebook(json.dumps(notebook).encode()).document(id="a.ipynb", file="a.ipynb")


def test_cells_of_markdown_are_text_and_cells_of_code_are_code() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "\n", "Some *text*."]},
        {"cell_type": "code", "source": "x = 1\n", "outputs": [{"text": "printed"}]},
        {"cell_type": "raw", "source": "raw"},
        {"cell_type": "markdown", "source": "---\nkey: value\n---\n"},
    ]
    document = read({"cells": cells, "nbformat": 4})
    assert document.title == "Title"
    assert document.text.startswith("Some text.\n\nx = 1\n\nraw\n\nkey: value")
    assert document.prose().text.startswith("Some text.\n\nraw")
    assert document.line is None


def test_a_notebook_of_format_3_is_read() -> None:
    cells = [{"cell_type": "heading", "level": 1, "source": "Title"}, {"cell_type": "code", "input": "x = 1"}]
    document = read({"worksheets": [{"cells": cells}]})
    assert (document.title, document.text, document.code_spans) == ("Title", "x = 1", ((0, 5),))


def test_other_json_is_refused() -> None:
    with pytest.raises(UnreadableError, match="no cells"):
        read({"a": 1})


def test_half_a_surrogate_pair_is_dropped() -> None:
    assert read({"cells": [{"cell_type": "raw", "source": "a\ud800b\u0000"}]}).text == "ab"
