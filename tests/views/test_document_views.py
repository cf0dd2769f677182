"""Views of documents: what is drawn, and that nothing is in both views of a pair."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsent.errors import UserError
from selfsent.views.document_views import DOCUMENT_VIEWS, SENTENCE_END, DocumentPair

WORD = st.text("abcde", min_size=1, max_size=4)
SENTENCES = st.lists(st.lists(WORD, min_size=1, max_size=6).map(" ".join), min_size=2, max_size=5)


def batch(*rows: tuple[str, list[str]]) -> dict[str, list[Any]]:
    return {
        "title": [title for title, _ in rows],
        "text": [SENTENCE_END.join(sentences) for _, sentences in rows],
        "label": list(range(10, 10 + len(rows))),
    }


@given(st.text("tuvw", max_size=5), SENTENCES, st.integers(0, 100))
def test_a_sentence_and_the_rest_are_the_whole_document_and_share_nothing(title: str, sentences: list[str], seed: int):
    random.seed(seed)
    pair = DocumentPair("document")(batch((title, sentences)))
    (anchor,), (rest,) = pair["view_a"], pair["view_b"]
    place = sentences.index(anchor)
    options = [
        " ".join([*([title] if title else []), *sentences[:number], *sentences[number + 1 :]])
        for number, sentence in enumerate(sentences)
        if sentence == anchor
    ]
    assert sentences[place] == anchor
    assert rest in options


def test_half_of_the_anchors_and_some_more_are_first_sentences():
    random.seed(3)
    rows = batch(*[("", ["first", "second", "third", "fourth"])] * 2000)
    share = DocumentPair("document")(rows)["view_a"].count("first") / 2000
    assert 0.58 < share < 0.67  # 1/2 + 1/2 * 1/4


@given(st.lists(WORD, min_size=2, max_size=60), st.integers(0, 100))
def test_crops_are_runs_of_a_tenth_to_a_half_of_the_words(words: list[str], seed: int):
    random.seed(seed)
    pair = DocumentPair("crops")(batch(("", [" ".join(words)])))
    for crop in (pair["view_a"][0], pair["view_b"][0]):
        length = len(crop.split())
        assert crop in " ".join(words)
        assert 1 <= length <= max(1, round(len(words) / 2))


def test_the_title_stands_against_the_text_and_the_first_sentence_where_there_is_none():
    pair = DocumentPair("title")(batch(("Title", ["One.", "Two."]), ("", ["One.", "Two."])))
    assert pair["view_a"] == ["Title", "One."]
    assert pair["view_b"] == ["One. Two.", "Two."]


def test_of_a_titled_document_of_one_sentence_the_title_is_the_other_view():
    pair = DocumentPair("document")(batch(("Title", ["One."])))
    assert (pair["view_a"], pair["view_b"]) == (["Title"], ["One."])


@pytest.mark.parametrize("view", DOCUMENT_VIEWS)
def test_labels_are_handed_on_and_equal_seeds_draw_equal_pairs(view: str):
    rows = batch(*[("t", ["a b c", "d e f", "g h i"])] * 20)
    drawn = []
    for _ in range(2):
        random.seed(1)
        drawn.append(DocumentPair(view)(rows))  # pyright: ignore[reportArgumentType]
    assert drawn[0] == drawn[1]
    assert drawn[0]["label"] == list(range(10, 30))


def test_another_view_is_refused():
    with pytest.raises(UserError, match="view must be one of document, crops, title, got 'paragraph'"):
        DocumentPair("paragraph")  # pyright: ignore[reportArgumentType]
