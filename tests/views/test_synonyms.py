"""One word of a text said differently."""

import random
from collections import Counter

import pytest

from selfsent.views import Synonyms
from selfsent.views.lexicon import Lexicon

LEXICON = Lexicon(name="small", synonyms={"car": ("auto", "motor"), "red": ("scarlet",), "o'neill": ("o'neal",)})
VIEW = Synonyms(lexicon=LEXICON)


def test_exactly_one_known_word_is_replaced_each_equally_often():
    random.seed(0)
    drawn = Counter(VIEW(["the red car is red"] * 9000))
    by_word = Counter(
        {
            "first red": drawn["the scarlet car is red"],
            "car": drawn["the red auto is red"] + drawn["the red motor is red"],
            "second red": drawn["the red car is scarlet"],
        }
    )
    assert by_word.total() == 9000
    assert all(abs(count - 3000) < 5 * (9000 * 2 / 9) ** 0.5 for count in by_word.values())
    assert abs(drawn["the red auto is red"] - 1500) < 5 * 1500**0.5


@pytest.mark.parametrize(
    ("text", "expected"),
    [("(Red),", "(Scarlet),"), ("RED!", "SCARLET!"), ("“red”", "“scarlet”"), ("O'Neill.", "O'neal."), ("r.", "r.")],
)
def test_capitals_and_punctuation_stay(text: str, expected: str):
    assert VIEW([text]) == [expected]


def test_a_text_without_a_known_word_is_left_as_it_is():
    texts = ["nothing  known", "日本語のテキスト", "-- ...", "x"]
    assert VIEW(texts) == texts


def test_its_name_tells_the_lexicon_by_its_content():
    assert repr(VIEW) == f"Synonyms(lexicon=Lexicon('small', 3 words, sha256 {LEXICON.sha256[:12]}))"
