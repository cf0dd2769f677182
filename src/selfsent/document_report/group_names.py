"""Names for groups of passages: their most characteristic words, or titles where words cannot be told apart."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from bm25s import stopwords
from jaxtyping import Float, Int
from numpy.typing import NDArray
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

_NUM_WORDS = 3
_NUM_TITLES = 2
_MAX_TITLE = 40
_TOO_COMMON = 0.5
_FEWEST_FOR_COMMON = 20
_SHORTEST_STEM = 4
_MAX_VOCABULARY = 20_000
_WORD = re.compile("[^\\W\\d_]{2,}(?:['\u2019-][^\\W\\d_]{2,})*")
# Thai, Lao, Tibetan, Burmese, Khmer, kana, Chinese characters, and those beyond the basic plane.
_WITHOUT_SPACES = re.compile(
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]"
)
_CONTRACTIONS = re.compile("['\u2019].*")


def _stop_words() -> frozenset[str]:
    """Give the function words of the languages that bm25s and scikit-learn have lists of."""
    lists = [getattr(stopwords, name) for name in dir(stopwords) if name.startswith("STOPWORDS_")]
    return ENGLISH_STOP_WORDS.union(*lists)


_STOP_WORDS = _stop_words()


def group_names(
    texts: Sequence[str],
    titles: Sequence[str],
    documents: Sequence[str],
    group_of: Int[NDArray[np.int64], " N"],
    unit: Float[NDArray[np.float32], "N D"],
) -> list[str]:
    """Name every group of passages.

    A word is characteristic where many of the group's passages hold it, and few others do: the share inside, times the
    logarithm of that share over the share in all. Function words of fifteen languages are left out, and in any language
    what stands in more than half of all passages. A group of a language without spaces between words takes the titles
    of the documents nearest to its middle.

    Args:
        texts: The passages.
        titles: Titles of their documents; may be empty.
        documents: Ids of their documents; they serve where there is no title.
        group_of: Number of the group of each passage; no group is empty.
        unit: Vectors of the passages.

    Returns:
        A name a group, such as ``leave, holiday, days``.
    """
    num_groups = int(group_of.max()) + 1 if len(group_of) else 0
    by_words = _characteristic_words([f"{title}\n{text}" for title, text in zip(titles, texts, strict=True)], group_of)
    names: list[str] = []
    for group in range(num_groups):
        rows = np.flatnonzero(group_of == group)
        has_words = bool(by_words[group]) and not _is_without_spaces("".join(texts[int(row)] for row in rows))
        nearest = rows[np.argsort(-(unit[rows] @ unit[rows].mean(axis=0)), kind="stable")]
        named = by_words[group] if has_words else _first_titles(nearest, titles, documents)
        names.append(", ".join(named) or f"group {group + 1}")
    return names


def _words(text: str) -> Iterator[str]:
    """Yield the words of a text that may stand in a name."""
    for match in _WORD.finditer(text.lower()):
        word = match.group()
        is_function_word = word in _STOP_WORDS or _CONTRACTIONS.sub("", word) in _STOP_WORDS
        too_short = word.isascii() and len(word) <= 2  # noqa: PLR2004
        if not (is_function_word or too_short or _WITHOUT_SPACES.search(word)):
            yield word


def _characteristic_words(texts: Sequence[str], group_of: Int[NDArray[np.int64], " N"]) -> list[list[str]]:
    num_groups = int(group_of.max()) + 1 if len(group_of) else 0
    counter: Any = CountVectorizer
    vectorizer = counter(analyzer=_words, max_features=_MAX_VOCABULARY)
    try:
        counts: Any = vectorizer.fit_transform(texts)
    except ValueError:  # no text has a word
        return [[] for _ in range(num_groups)]
    vocabulary = [str(word) for word in vectorizer.get_feature_names_out()]
    share = _share(counts)
    allowed = share <= _TOO_COMMON if len(texts) >= _FEWEST_FOR_COMMON else share > 0
    return [_best_words(counts[group_of == group], share, allowed, vocabulary) for group in range(num_groups)]


def _best_words(
    counts: Any, share: NDArray[np.float64], allowed: NDArray[np.bool_], vocabulary: Sequence[str]
) -> list[str]:
    """Give the words with the highest scores in one group, no two of them forms of one word."""
    inside, times = _share(counts), np.asarray(counts.sum(axis=0)).ravel()
    # Of one group alone every word is as frequent inside as in all: the most frequent ones name it.
    above = np.log((inside + 1e-9) / (share + 1e-9)) + 1e-3
    scores = np.where(allowed & (inside > 0), inside * above, -1.0)
    found: list[str] = []
    for column in np.lexsort((-times, -scores))[: 10 * _NUM_WORDS]:
        word = vocabulary[int(column)]
        if scores[column] > 0 and len(found) < _NUM_WORDS and not any(_is_form(word, other) for other in found):
            found.append(word)
    return found


def _share(counts: Any) -> NDArray[np.float64]:
    """Give the share of passages that hold each word."""
    return np.asarray((counts > 0).mean(axis=0), dtype=np.float64).ravel()


def _is_form(word: str, other: str) -> bool:
    """Whether one of two words begins with the other, as ``models`` does with ``model``."""
    short, long = sorted((word, other), key=len)
    return len(short) >= _SHORTEST_STEM and long.startswith(short)


def _is_without_spaces(text: str) -> bool:
    """Whether most letters of a text are of a script that puts no spaces between words."""
    num_letters = sum(character.isalpha() for character in text)
    return 2 * len(_WITHOUT_SPACES.findall(text)) > num_letters


def _first_titles(rows: NDArray[np.int64], titles: Sequence[str], documents: Sequence[str]) -> list[str]:
    distinct = dict.fromkeys((titles[int(row)] or documents[int(row)]).strip() for row in rows)
    named = [title for title in distinct if title][:_NUM_TITLES]
    return [title if len(title) <= _MAX_TITLE else f"{title[: _MAX_TITLE - 1]}…" for title in named]
