import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from selfsent.documents.document import Document, Heading
from selfsent.documents.passages import Passage, passages
from selfsent.documents.sentences import sentences
from selfsent.errors import UserError


def count_words(text: str) -> int:
    return len(text.split())


def count_characters(text: str) -> int:
    return len(text)


def cut(text: str, max_tokens: int, headings: tuple[tuple[str, int], ...] = (), count=count_words) -> list[str]:
    document = Document(
        id="1",
        text=text,
        headings=tuple(
            Heading(start=text.index(heading), end=text.index(heading) + len(heading), level=level)
            for heading, level in headings
        ),
    )
    return [passage.text for passage in passages(document, max_tokens=max_tokens, count_tokens=count)]


def test_a_short_document_is_one_passage() -> None:
    document = Document(id="a", title="T", text="One two.\n\nThree.", line=4, page_starts=(0,))
    assert list(passages(document, max_tokens=3, count_tokens=count_words)) == [
        Passage(document_id="a", title="T", text="One two.\n\nThree.", start=0, end=16, line=4, page=1)
    ]


def test_short_paragraphs_stand_together_up_to_the_limit() -> None:
    assert cut("a b\n\nc d\n\ne f\n\ng h", 4) == ["a b\n\nc d", "e f\n\ng h"]


def test_a_heading_is_a_better_end_than_a_later_paragraph() -> None:
    text = "a b\n\nHeading\n\nc d\n\ne f g h"
    assert cut(text, 6, (("Heading", 2),)) == ["a b", "Heading\n\nc d", "e f g h"]


def test_a_higher_heading_is_a_better_end_than_a_later_lower_one() -> None:
    text = "a a\n\nHigh\n\nb b\n\nLow\n\nc c c c"
    assert cut(text, 8, (("High", 1), ("Low", 2))) == ["a a", "High\n\nb b\n\nLow\n\nc c c c"]


def test_a_heading_stays_with_what_follows() -> None:
    text = "a b c.\n\nHigh\n\nLow\n\nD e f. G h i. J k l."
    for max_tokens in range(3, 12):
        pieces = cut(text, max_tokens, (("High", 1), ("Low", 2)))
        assert all(not piece.endswith(("High", "Low")) for piece in pieces), (max_tokens, pieces)


def test_a_long_paragraph_ends_at_sentences_and_a_long_sentence_at_words() -> None:
    assert cut("One two three. Four five six. Seven eight.", 6) == ["One two three. Four five six.", "Seven eight."]
    assert cut("one two three four five", 2) == ["one two", "three four", "five"]


def test_lines_are_better_ends_than_words() -> None:
    assert cut("one two three\nfour five\nsix seven", 6) == ["one two three\nfour five", "six seven"]


def test_a_text_without_spaces_ends_at_its_sentences_and_else_between_characters() -> None:
    assert cut("你好世界。今天很好。我们走了。", 10, count=count_characters) == ["你好世界。今天很好。", "我们走了。"]
    assert cut("你好世界今天很好", 3, count=count_characters) == ["你好世", "界今天", "很好"]


def test_an_accent_stays_with_its_letter() -> None:
    assert cut("e\u0301" * 4, 3, count=count_characters) == ["e\u0301"] * 4


def test_a_document_that_is_a_title_alone_is_one_passage_without_text() -> None:
    (passage,) = passages(Document(id="1", title="Title", text=""), max_tokens=5, count_tokens=count_words)
    assert (passage.text, passage.start, passage.end, passage.title) == ("", 0, 0, "Title")


def test_a_document_of_nothing_has_no_passage() -> None:
    assert list(passages(Document(id="1", text=""), max_tokens=5, count_tokens=count_words)) == []
    assert list(passages(Document(id="1", text=" \n "), max_tokens=5, count_tokens=count_words)) == []


def test_each_passage_knows_its_line_and_its_page() -> None:
    document = Document(id="1", text="a b\n\nc d\n\ne f", line_marks=((0, 5), (5, 20)), page_starts=(0, 10))
    found = list(passages(document, max_tokens=2, count_tokens=count_words))
    assert [(passage.line, passage.page) for passage in found] == [(5, 1), (20, 1), (22, 2)]


@pytest.mark.parametrize("max_tokens", [0, -1])
def test_a_limit_below_one_is_refused(max_tokens: int) -> None:
    with pytest.raises(UserError, match=f"max_tokens must be at least 1, got {max_tokens}"):
        cut("a", max_tokens)


def test_a_limit_that_holds_no_character_is_refused() -> None:
    with pytest.raises(UserError, match="max_tokens must hold at least one character, got 2 where 'a' alone has 3"):
        cut("ab", 2, count=lambda text: len(text) + 2)


def test_a_million_words_are_counted_about_twice_at_most() -> None:
    text = "\n\n".join("This is a sentence of eight words here. " * 12 for _ in range(10_000))
    counted = 0

    def count(piece: str) -> int:
        nonlocal counted
        counted += len(piece)
        return count_words(piece)

    found = list(passages(Document(id="1", text=text), max_tokens=200, count_tokens=count))
    assert sum(count_words(passage.text) for passage in found) == 960_000
    assert counted < 2.5 * len(text)


HEADINGS = st.lists(st.tuples(st.integers(0, 200), st.integers(1, 20), st.integers(1, 3)), max_size=5)
COUNTERS = st.sampled_from(
    [
        count_words,
        count_characters,
        lambda text: len(text.encode()) // 3,
        lambda text: 2 + len(text.split()),  # with special tokens
        lambda text: sum(9 if word.isdigit() else 1 for word in text.split()),  # spread unevenly
        lambda text: text.count("b"),  # most words are unknown
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet="Ab1. \n\t。你e\u0301", max_size=200), st.integers(1, 30), COUNTERS, HEADINGS)
@example("", 1, count_words, [])
def test_passages_keep_everything_and_the_limit(text: str, max_tokens: int, count, places) -> None:
    headings: list[Heading] = []
    for start, length, level in sorted(places):
        if start + length <= len(text) and (not headings or start >= headings[-1].end):
            headings.append(Heading(start=start, end=start + length, level=level))
    document = Document(id="1", text=text, headings=tuple(headings))
    try:
        found = list(passages(document, max_tokens=max_tokens, count_tokens=count))
    except UserError:
        assert any(count(character) > max_tokens for character in text)
        return
    assert all(document.text[passage.start : passage.end] == passage.text for passage in found)
    assert all(count(passage.text) <= max_tokens for passage in found)
    assert all(passage.text == passage.text.strip() != "" for passage in found)
    gaps = [0, *itertools.chain.from_iterable((passage.start, passage.end) for passage in found), len(text)]
    assert all(not text[start:end].strip() for start, end in zip(gaps[::2], gaps[1::2], strict=True))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=4), min_size=1, max_size=6), st.integers(5, 20))
def test_no_sentence_that_fits_is_broken_where_all_fit_well(paragraphs: list[list[int]], max_tokens: int) -> None:
    """Sentences of at most a fifth of a passage are never broken: an end at a sentence is always within reach."""
    text = "\n\n".join(
        " ".join(" ".join(["Word", *["word"] * (length - 1)]) + "." for length in lengths) for lengths in paragraphs
    )
    document = Document(id="1", text=text)
    whole = {text[start:end] for start, end in sentences(text)}
    for passage in passages(document, max_tokens=5 * max_tokens, count_tokens=count_words):
        assert {passage.text[start:end] for start, end in sentences(passage.text)} <= whole
