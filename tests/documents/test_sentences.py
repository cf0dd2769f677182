import itertools

from hypothesis import given
from hypothesis import strategies as st

from selfsent.data.prose import split_sentences
from selfsent.documents.sentences import sentences


def texts_of(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


def test_sentences_end_at_marks_and_at_paragraphs_but_not_at_lines() -> None:
    text = "Dr. Smith came,\ne.g. today. He left! (Really?) Yes\n\n  \nNew paragraph"
    assert texts_of(text) == ["Dr. Smith came,\ne.g. today.", "He left!", "(Really?)", "Yes", "New paragraph"]


def test_sentences_of_scripts_without_spaces_end_at_their_own_marks() -> None:
    assert texts_of("你好。「世界很大！」再见？走了") == ["你好。", "「世界很大！」", "再见？", "走了"]
    assert texts_of("यह एक है। वह दो है॥") == ["यह एक है।", "वह दो है॥"]


def test_white_space_is_no_sentence() -> None:
    assert texts_of(" \n\n \n ") == []


@given(st.text(alphabet="Ab. !\n。e", max_size=60))
def test_sentences_lose_white_space_only_and_stand_in_order(text: str) -> None:
    spans = list(sentences(text))
    assert "".join("".join(text[start:end].split()) for start, end in spans) == "".join(text.split())
    assert all(start < end for start, end in spans)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    assert all(text[start:end] == text[start:end].strip() for start, end in spans)


@given(st.lists(st.sampled_from(["One.", "Dr. No", "two", "E.g. Three!", "4?"]), max_size=8))
def test_a_paragraph_is_split_as_the_docstrings_are(words: list[str]) -> None:
    paragraph = " ".join(words)
    assert texts_of(paragraph) == list(split_sentences(paragraph))
