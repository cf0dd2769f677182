"""Sentences of documents as texts: every word once, in order, none too long."""

from hypothesis import given
from hypothesis import strategies as st

from selfsent.documents.document import Document
from selfsent.documents.text_rows import LONGEST, count_pieces, text_rows


def texts_of(document: Document) -> list[str]:
    return [str(row["text"]) for row in text_rows([document])]


def test_each_sentence_is_a_text_and_short_ones_stand_with_their_neighbours():
    text = "No. The river is very old. It sleeps in winter.\n\nThe garden of the castle is new. Yes."
    assert texts_of(Document(id="a", title="Rivers", text=text)) == [
        "Rivers No. The river is very old.",
        "It sleeps in winter.",
        "The garden of the castle is new. Yes.",
    ]


def test_code_is_left_out_and_a_document_that_is_short_is_one_text():
    document = Document(id="a", text="Use it.\n\nimport this\n\n", code_spans=((9, 20),))
    assert texts_of(document) == ["Use it."]
    assert texts_of(Document(id="a", title="Empty", text="")) == ["Empty"]


def test_file_and_line_say_where_a_text_stands():
    document = Document(id="a", text="The river is old and long.", file="notes/a.md", line=3)
    assert list(text_rows([document])) == [{"text": "The river is old and long.", "file": "notes/a.md", "line": 3}]


def test_a_sentence_without_end_and_one_without_spaces_are_cut():
    texts = texts_of(Document(id="a", text=" ".join(f"word{number}" for number in range(1000))))
    assert len(texts) > 10
    assert max(map(count_pieces, texts)) <= LONGEST
    texts = texts_of(Document(id="a", text="\u6c34" * 1000))
    assert "".join(texts) == "\u6c34" * 1000
    assert max(map(len, texts)) <= LONGEST


@given(
    st.lists(st.sampled_from(["One.", "Two words here.", "word", "a" * 30, "\n\n", "The end is near!"]), max_size=80)
)
def test_no_word_is_lost_and_none_comes_twice(parts: list[str]):
    text = " ".join(parts)
    assert "".join("".join(texts_of(Document(id="a", text=text))).split()) == "".join(text.split())
