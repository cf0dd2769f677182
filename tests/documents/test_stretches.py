"""Stretches of documents and windows of single sentences."""

from hypothesis import given
from hypothesis import strategies as st

from selfsent.documents.document import Document
from selfsent.documents.stretches import Stretch, stretches, window_spans, windows


def test_a_document_is_a_stretch_of_title_and_sentences_without_its_code():
    document = Document(id="a", title="Title", text="One is here.\n\nx = 1\n\nTwo is\nthere.", code_spans=((14, 19),))
    (found,) = stretches([document])
    assert found == Stretch(document=0, title="Title", sentences=("One is here.", "Two is there."))
    assert found.parts == ("Title", "One is here.", "Two is there.")


def test_a_long_document_becomes_stretches_of_one_number():
    text = " ".join(f"Sentence {number} has five words." for number in range(200))
    found = list(stretches([Document(id="a", text="Short one. Short two."), Document(id="b", text=text)]))
    assert [stretch.document for stretch in found] == [0, 1, 1, 1]
    assert sum(len(stretch.sentences) for stretch in found[1:]) == 200
    assert all(sum(len(one.split()) for one in stretch.sentences) <= 400 for stretch in found)


def test_a_title_alone_is_a_stretch_and_nothing_is_none():
    found = list(stretches([Document(id="a", title="Only a title", text=""), Document(id="b", text="   ")]))
    assert [stretch.parts for stretch in found] == [("Only a title",)]


@given(st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=60))
def test_windows_hold_every_word_once_in_order_and_about_ten_each(words: list[str]):
    text = " ".join(words)
    spans = window_spans(text)
    assert " ".join(text[start:end] for start, end in spans) == text
    lengths = [len(text[start:end].split()) for start, end in spans]
    assert len(spans) == 1 if len(words) < 16 else all(6 <= length <= 15 for length in lengths)


def test_only_single_parts_are_cut_into_windows():
    long = " ".join("abcdefghijklmnopqrst")
    whole = Stretch(document=3, title="", sentences=(long,))
    assert windows(whole).sentences == ("a b c d e f g h i j", "k l m n o p q r s t")
    for other in (Stretch(document=3, title="t", sentences=(long,)), Stretch(document=3, title="", sentences=("a b",))):
        assert windows(other) == other
