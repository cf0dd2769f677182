import io

import pytest
from tests.documents.made_files import pdf

from selfsent.documents.document import Document
from selfsent.documents.pdf import read_pdf
from selfsent.documents.skipped import UnreadableError


def read(data: bytes) -> Document:
    return read_pdf(io.BytesIO(data)).document(id="a.pdf", file="a.pdf")


def page(number: int, *lines: str) -> list[str]:
    return ["The Handbook", *lines, f"Page {number} of 9"]


def test_pages_are_text_without_what_is_repeated_on_each() -> None:
    words = ("red", "green", "blue", "white")
    document = read(pdf([page(number, f"This page is the {word} one.") for number, word in enumerate(words, 1)]))
    assert document.text.split("\n\n") == [f"This page is the {word} one." for word in words]
    assert [document.page_at(document.text.index(word)) for word in words] == [1, 2, 3, 4]


def test_a_line_that_stands_on_one_page_stays() -> None:
    document = read(pdf([["The contract of Ann and Bob, who live here."], ["Signed by both of them in Rome."]]))
    assert document.text == "The contract of Ann and Bob, who live here.\n\nSigned by both of them in Rome."


def test_pages_that_are_all_equal_are_not_taken_for_running_titles() -> None:
    assert read(pdf([["Read this page."]] * 3)).text == "\n\n".join(["Read this page."] * 3)


def test_words_broken_at_line_ends_are_mended() -> None:
    lines = [
        "We keep what is well-known, and mend each para-",
        "graph of it. What is well-",
        "known stays well-known here.",
    ]
    assert read(pdf([lines])).text == (
        "We keep what is well-known, and mend each paragraph of it. What is well-known stays well-known here."
    )


def test_a_short_line_before_a_capital_ends_a_paragraph() -> None:
    lines = [
        "This is a long line of a paragraph that goes on and",
        "ends here.",
        "Another one begins there, as long as the first",
        "one.",
    ]
    assert read(pdf([lines])).text == (
        "This is a long line of a paragraph that goes on and ends here.\n\n"
        "Another one begins there, as long as the first one."
    )


def test_a_sentence_that_goes_on_overleaf_is_whole() -> None:
    document = read(pdf([["The sentence begins on a page and"], ["ends on the next one."], ["Third page."]]))
    assert document.text == "The sentence begins on a page and ends on the next one.\n\nThird page."
    assert document.page_at(document.text.index("Third")) == 3


@pytest.mark.parametrize(
    ("title", "expected"), [("The Book", "The Book"), ("Microsoft Word - a.doc", ""), ("x.dvi", "")]
)
def test_the_title_is_that_of_the_metadata_unless_it_is_a_file_name(title: str, expected: str) -> None:
    assert read(pdf([["Text."]], title=title)).title == expected


def test_a_pdf_behind_a_password_is_refused() -> None:
    with pytest.raises(UnreadableError, match="password"):
        read(pdf([["secret"]], password="x"))


def test_a_pdf_without_text_is_refused_as_scanned() -> None:
    with pytest.raises(UnreadableError, match="scanned"):
        read(pdf([[], []]))


def test_a_broken_pdf_is_refused() -> None:
    with pytest.raises(UnreadableError, match="broken"):
        read(pdf([["Text."]])[:100])
