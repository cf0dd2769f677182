"""Rows that words of one stem share, over a vocabulary written by hand."""

from tokenizers import Tokenizer, models

from selfsent.data.stem_rows import stem_rows
from selfsent.data.tokenizer import MARKER
from selfsent.words import Analyser

TOKENS = [
    "[PAD]",
    "[UNK]",
    f"{MARKER}gene",
    f"{MARKER}genes",
    "genes",
    f"{MARKER}is",
    f"{MARKER}i",
    f"{MARKER}x1y",
    "s",
]


def tokenizer() -> Tokenizer:
    return Tokenizer(models.WordLevel({token: number for number, token in enumerate(TOKENS)}, unk_token="[UNK]"))


def test_words_of_one_stem_share_a_row_and_other_tokens_have_one_each() -> None:
    rows = stem_rows(tokenizer(), Analyser("en")).tolist()
    # Tokens 2 and 3 are words of one stem; "genes" without the marker is the end of a longer word.
    assert rows == [0, 1, 2, 2, 3, 4, 5, 6, 7]


def test_without_a_language_every_token_has_a_row_of_its_own() -> None:
    assert stem_rows(tokenizer(), Analyser(None)).tolist() == list(range(len(TOKENS)))
