"""What is marked in a passage, and which part of a long one is shown."""

from selfsent.search.marks import Match, excerpt, matched_words
from selfsent.words import Analyser


def test_words_are_marked_in_every_inflection_and_stop_words_are_not():
    text = "The cats slept. A cat sleeps in the sun."
    found = matched_words("the sleeping cat", text, Analyser("en"))
    assert [(text[match.start : match.end], match.kind) for match in found] == [
        ("cats", "word"),
        ("cat", "word"),
        ("sleeps", "word"),
    ]


def test_a_short_passage_is_shown_whole():
    assert excerpt("The cat.", [Match(start=4, end=7, kind="word")]) == (0, 8)


def test_of_a_long_passage_the_part_with_most_matches_is_shown_between_two_words():
    text = "cat " + "filler words " * 100 + "the cat and the dog sleep " + "other things " * 100
    found = matched_words("cat dog sleep", text, Analyser("en"))
    start, end = excerpt(text, found, max_characters=120)
    assert "cat and the dog sleep" in text[start:end]
    assert end - start <= 120
    assert text[start - 1].isspace()
    assert text[end].isspace()


def test_a_long_passage_without_a_match_and_one_without_spaces_are_shown_from_their_beginning():
    assert excerpt("word " * 200, [], max_characters=100)[0] == 0
    assert excerpt("字" * 500, [], max_characters=100) == (0, 100)
    start, end = excerpt("字" * 500, [Match(start=400, end=402, kind="word")], max_characters=100)
    assert start <= 400
    assert end >= 402
