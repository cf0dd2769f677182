"""Rows of an embedding table that words of one stem share."""

import numpy as np
from jaxtyping import Int
from tokenizers import Tokenizer

from selfsent.data.tokenizer import MARKER
from selfsent.words import Analyser

_LEAST_LETTERS = 3


def stem_rows(tokenizer: Tokenizer, analyser: Analyser) -> Int[np.ndarray, " V"]:
    """Give each token the number of its row: tokens that begin a word and have the same stem have the same.

    A table learned by rows is written out by tokens afterwards, so the model stays an ordinary one. ``gene`` and
    ``genes`` then count, and learn, as one; on small corpora that is worth several points (docs/experiments.md).

    Args:
        tokenizer: Marks the beginning of a word, as those that are trained here do.
        analyser: Stems the words of its language; one without a language does not stem.

    Returns:
        Rows by token id, numbered from 0 without gaps.
    """
    row_of: dict[str, int] = {}
    tokens = [tokenizer.id_to_token(number) or "" for number in range(tokenizer.get_vocab_size())]
    return np.array([row_of.setdefault(_stem(token, analyser), len(row_of)) for token in tokens], dtype=np.int64)


def _stem(token: str, analyser: Analyser) -> str:
    word = token.removeprefix(MARKER)
    if analyser.language is None or word == token or len(word) < _LEAST_LETTERS or not word.isalpha():
        return token
    return MARKER + analyser.analyse(word)[0]
