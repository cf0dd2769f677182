import io

import pytest
from tests.documents.made_files import archive, epub

from selfsent.documents.document import Document
from selfsent.documents.epub import read_epub
from selfsent.documents.skipped import UnreadableError

PAGES = {
    "a b": "<html><head><title>x</title></head><body><h1>Two</h1><p>Second chapter.</p></body></html>",
    "b": "<html><body><h1>One</h1><p>First chapter.</p></body></html>",
    "c": "<html><body><p>Never read.</p></body></html>",
}


def read(data: bytes) -> Document:
    return read_epub(io.BytesIO(data)).document(id="a.epub", file="a.epub")


def test_a_book_is_read_in_the_order_of_its_spine() -> None:
    document = read(epub(PAGES, title="The Book", spine=["b", "a b"]))
    assert document.title == "The Book"
    assert document.text == "One\n\nFirst chapter.\n\nTwo\n\nSecond chapter."
    assert [document.text[one.start : one.end] for one in document.headings] == ["One", "Two"]


@pytest.mark.parametrize(
    ("method", "is_refused"),
    [("http://www.w3.org/2001/04/xmlenc#aes128-cbc", True), ("http://www.idpf.org/2008/embedding", False)],
)
def test_a_protected_book_is_refused_and_one_with_hidden_fonts_is_not(method: str, *, is_refused: bool) -> None:
    encryption = f"<encryption><EncryptedData><EncryptionMethod Algorithm='{method}'/></EncryptedData></encryption>"
    data = epub(PAGES, title="x", spine=["b"], extra={"META-INF/encryption.xml": encryption})
    if is_refused:
        with pytest.raises(UnreadableError, match="password: it is protected"):
            read(data)
    else:
        assert "First chapter." in read(data).text


def test_a_page_that_is_missing_is_told() -> None:
    data = archive({"META-INF/container.xml": "<container/>"})
    with pytest.raises(UnreadableError, match="broken"):
        read(data)
