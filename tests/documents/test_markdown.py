from selfsent.documents.document import Document
from selfsent.documents.markdown import read_markdown

FILE = """---
title: "The Guide"
tags: [a]
---
Some *stressed* `code` and
[a link](http://x.y), ![a picture](p.png). <b>bold</b>

## Part one

```python
x = 1

y = 2
```

    indented

- item one
- item two

| a | b |
|---|---|
| 1 | 2 |

[![build](https://b)](https://c) [![docs](https://b)](https://c)

<p align="center">From <i>HTML</i></p>
"""


def read(text: str) -> Document:
    return read_markdown(text.encode()).document(id="a.md", file="a.md")


def test_markdown_is_text_without_marks() -> None:
    document = read(FILE)
    assert document.title == "The Guide"
    assert document.text == (
        "Some stressed code and\na link, a picture. bold\n\nPart one\n\nx = 1\n\ny = 2\n\nindented\n\nitem one\n\n"
        "item two\n\na\tb\n1\t2\n\nFrom HTML"
    )


def test_blocks_of_code_are_known() -> None:
    document = read(FILE)
    assert [document.text[start:end] for start, end in document.code_spans] == ["x = 1\n\ny = 2", "indented"]
    assert "x = 1" not in document.prose().text


def test_each_place_knows_its_line_in_the_file() -> None:
    document = read(FILE)
    lines = FILE.splitlines()
    for word in ("Some", "a link", "Part one", "x = 1", "y = 2", "indented", "item two"):
        assert word in lines[document.line_at(document.text.index(word)) - 1].replace("[a link]", "a link"), word


def test_the_first_heading_is_the_title_and_no_part_of_the_text() -> None:
    document = read("# Guide to `x`\n\nText.\n\n# Second\n")
    assert (document.title, document.text) == ("Guide to x", "Text.\n\nSecond")
    assert [(one.start, one.level) for one in document.headings] == [(7, 1)]


def test_a_heading_that_says_the_title_of_the_front_matter_is_not_repeated() -> None:
    assert read('+++\ntitle = "Guide"\n+++\n# guide\n\nText.').text == "Text."


def test_a_small_heading_behind_text_is_no_title() -> None:
    document = read("Text.\n\n### Note\n\nMore.")
    assert (document.title, document.text) == ("", "Text.\n\nNote\n\nMore.")


def test_a_rule_at_the_beginning_is_no_front_matter() -> None:
    assert read("---\n\nText: one\n\n---\n\nMore").text == "Text: one\n\nMore"


def test_line_ends_of_windows_are_read() -> None:
    document = read("# Title\r\n\r\nOne\r\ntwo\r\n")
    assert (document.title, document.text, document.line) == ("Title", "One\ntwo", 3)
