import io

import docx
import pytest
from docx.oxml import parse_xml
from tests.documents.made_files import archive

from selfsent.documents.document import Document
from selfsent.documents.docx import read_docx
from selfsent.documents.skipped import UnreadableError

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def read(data: bytes) -> Document:
    return read_docx(io.BytesIO(data)).document(id="a.docx", file="a.docx")


def saved(document: "docx.document.Document") -> bytes:
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def test_headings_paragraphs_and_tables_are_read_in_order() -> None:
    word = docx.Document()
    word.add_heading("The Handbook", 0)
    word.add_paragraph("First paragraph.")
    word.add_heading("Holidays", 1)
    word.add_paragraph("Thirty\tdays.\nA year.")
    table = word.add_table(2, 2)
    for number, text in enumerate(("Name", "Days", "Ann", "30")):
        table.cell(number // 2, number % 2).text = text
    table.cell(0, 0).merge(table.cell(1, 0))
    word.add_heading("Deeper", 2)
    word.add_paragraph("Last.")
    document = read(saved(word))
    assert document.title == "The Handbook"
    assert document.text == (
        "First paragraph.\n\nHolidays\n\nThirty\tdays.\nA year.\n\nName Ann\tDays\n30\n\nDeeper\n\nLast."
    )
    assert [(document.text[one.start : one.end], one.level) for one in document.headings] == [
        ("Holidays", 1),
        ("Deeper", 2),
    ]


def test_inserted_text_and_content_controls_are_read_and_deleted_text_is_not() -> None:
    word = docx.Document()
    body = word.element.body
    body.insert(0, parse_xml(f"<w:p {W}><w:ins w:id='1'><w:r><w:t>Inserted.</w:t></w:r></w:ins></w:p>"))
    body.insert(1, parse_xml(f"<w:p {W}><w:del w:id='2'><w:r><w:delText>Deleted.</w:delText></w:r></w:del></w:p>"))
    body.insert(
        2, parse_xml(f"<w:sdt {W}><w:sdtContent><w:p><w:r><w:t>Controlled.</w:t></w:r></w:p></w:sdtContent></w:sdt>")
    )
    assert read(saved(word)).text == "Inserted.\n\nControlled."


def test_the_text_of_a_box_is_a_paragraph_of_its_own_and_read_once() -> None:
    word = docx.Document()
    box = "<w:txbxContent><w:p><w:r><w:t>Boxed.</w:t></w:r></w:p></w:txbxContent>"
    word.element.body.insert(
        0,
        parse_xml(
            f'<w:p {W} xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><w:r><w:t>Around.</w:t>'
            f"<mc:AlternateContent><mc:Choice Requires='wps'>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback>"
            "</mc:AlternateContent></w:r></w:p>"
        ),
    )
    assert read(saved(word)).text == "Around.\n\nBoxed."


def test_footnotes_are_read() -> None:
    body = f"<w:document {W}><w:body><w:p><w:r><w:t>Text.</w:t></w:r></w:p></w:body></w:document>"
    notes = f"<w:footnotes {W}><w:footnote><w:p><w:r><w:t>A note.</w:t></w:r></w:p></w:footnote></w:footnotes>"
    assert read(archive({"word/document.xml": body, "word/footnotes.xml": notes})).text == "Text.\n\nA note."


def test_an_office_file_behind_a_password_is_refused() -> None:
    with pytest.raises(UnreadableError, match="password"):
        read(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100))


def test_an_archive_without_a_document_is_refused() -> None:
    with pytest.raises(UnreadableError, match=r"broken: it lacks its part word/document\.xml"):
        read(archive({"a.txt": "x"}))
