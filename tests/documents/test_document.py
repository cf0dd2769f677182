from selfsent.data.docs import is_heldout
from selfsent.data.docstrings import Docstring
from selfsent.data.heldout import hash_of_text
from selfsent.documents.document import Document, Heading

TEXT = "Intro.\n\nCODE\nx\n\nPart\n\nMore\ntext.\n\nCODE"
DOCUMENT = Document(
    id="a.md",
    title="Title",
    text=TEXT,
    line=3,
    headings=(Heading(start=TEXT.index("Part"), end=TEXT.index("Part") + 4, level=2),),
    code_spans=((8, 14), (TEXT.rindex("CODE"), len(TEXT))),
    line_marks=((0, 3), (8, 6), (TEXT.index("Part"), 10), (TEXT.index("More"), 12), (TEXT.rindex("CODE"), 16)),
    page_starts=(0, TEXT.index("Part")),
)


def test_a_line_is_that_of_the_last_mark_and_the_line_ends_behind_it() -> None:
    assert [DOCUMENT.line_at(TEXT.index(word)) for word in ("Intro", "CODE", "x", "Part", "text")] == [3, 6, 7, 10, 13]


def test_a_document_without_marks_has_one_line() -> None:
    assert Document(id="1", text="a\nb", line=7).line_at(2) == 7
    assert Document(id="1", text="a\nb").line_at(2) is None


def test_a_page_is_the_one_that_began_last() -> None:
    assert [DOCUMENT.page_at(offset) for offset in (0, 5, TEXT.index("Part"), len(TEXT) - 1)] == [1, 1, 2, 2]
    assert Document(id="1", text="a").page_at(0) is None


def test_prose_leaves_code_out_and_moves_what_stands_behind_it() -> None:
    prose = DOCUMENT.prose()
    assert prose.text == "Intro.\n\nPart\n\nMore\ntext."
    assert [prose.text[one.start : one.end] for one in prose.headings] == ["Part"]
    assert [prose.line_at(prose.text.index(word)) for word in ("Intro", "Part", "More", "text")] == [3, 10, 12, 13]
    assert prose.page_at(prose.text.index("Part")) == 2
    assert (prose.id, prose.title, prose.code_spans) == ("a.md", "Title", ())


def test_prose_of_a_text_without_code_is_the_document_itself() -> None:
    document = Document(id="1", text="a")
    assert document.prose() is document


def test_prose_of_nothing_but_code_is_empty() -> None:
    assert Document(id="1", text="x = 1", code_spans=((0, 5),)).prose().text == ""


def test_the_hash_tells_a_changed_title_and_a_changed_text() -> None:
    hashes = {Document(id="1", title=title, text=text).content_hash for title in ("", "a", "b") for text in ("x", "y")}
    assert len(hashes) == 6
    assert (
        Document(id="1", title="a", text="x").content_hash == Document(id="2", title="a", text="x", line=3).content_hash
    )


def test_a_docstring_is_held_out_by_the_hash_the_corpus_uses() -> None:
    sentences = ("Return the sum.", "It is a number.")
    document = Document(id="a.b", text="\n".join(sentences))
    assert document.content_hash == hash_of_text("\n".join(sentences))
    docstring = Docstring(package="a", qualified_name="a.b", sentences=sentences)
    assert is_heldout(docstring) == (document.content_hash < 0.05 * 2**64)
