"""The words that a text is searched by, and where in the text they stand.

BM25, the store's index of words and the marking of matches share this analysis, so that they agree on what a word is.

- A word is a run of letters, digits and accents, in lower case. An identifier (``read_csv``, ``readCSV``) is a word,
  and each of its parts is one too.
- Words of a language that Snowball knows are stemmed. Stop words are indexed, and left out of queries.
- In scripts without spaces between words (Chinese, Japanese, Thai ...) each character and each pair of neighbouring
  characters is a word.
- Latin letters lose their accents, after stemming.

Source: Lucene's ``EnglishAnalyzer`` and its sisters, its ``CJKAnalyzer`` with ``outputUnigrams``, and its
    ``WordDelimiterGraphFilter`` with ``preserveOriginal``; Snowball (Porter 2001); the stop words of NLTK.
Differs: Lucene leaves stop words out of the index too, so that a query of nothing else finds nothing. Its
    ``StandardTokenizer`` keeps ``don't`` and ``os.path`` whole; here punctuation always separates.
"""

import importlib.util
import json
import random
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Literal, NamedTuple

import regex
import Stemmer

from selfsent.errors import UserError

RULES = 1
"""Version of the analysis, recorded with an index of words: goes up whenever a text gets other words."""

Kind = Literal["content", "stop", "inner"]

UNSPACED_SCRIPTS = (
    r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\u30fc\uff70\uff9e\uff9f"
)
"""The characters of scripts without spaces between words, as the inside of a class of a regular expression."""

_WORD = regex.compile(r"\w+")  # accents and vowel signs belong to a word, which they do not in Python's own \w
_HAS_UNSPACED = regex.compile(rf"[{UNSPACED_SCRIPTS}]")
_RUN = regex.compile(rf"(?V1)([{UNSPACED_SCRIPTS}][{UNSPACED_SCRIPTS}\p{{M}}]*)|([\w--[{UNSPACED_SCRIPTS}]]+)")
_CHARACTER = regex.compile(r"\X")
# As people read: don't and os.path are one word here. Where no spaces stand between words, their borders are not known.
_SPACED = rf"[\w--[{UNSPACED_SCRIPTS}]]+"
_WRITTEN = regex.compile(rf"(?V1){_SPACED}(?:(?:['\u2019]|\.(?=[\p{{Ll}}\p{{N}}])){_SPACED})*")
# read_csv, readCsv, CSVFile; not IDs, whose last letter is no word.
_BETWEEN_PARTS = regex.compile(r"_+|(?<=\p{Ll})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll}{2})")
_LATIN_ACCENT = regex.compile(r"(?<=\p{Latin})\p{M}+")
_LATIN_LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "\u0131": "i"})

_STOP_WORDS = {
    "da": "DANISH",
    "de": "GERMAN",
    "en": "EN_PLUS",
    "es": "SPANISH",
    "fr": "FRENCH",
    "it": "ITALIAN",
    "nl": "DUTCH",
    "no": "NORWEGIAN",
    "pt": "PORTUGUESE",
    "ru": "RUSSIAN",
    "sv": "SWEDISH",
    "tr": "TURKISH",
}
_SAMPLE = 200
_SAMPLE_CHARACTERS = 500
_CACHED_WORDS = 1 << 18
_STEMMING = Lock()


class Term(NamedTuple):
    """A word of a text.

    Args:
        start: Where it begins in the text, in characters ...
        end: ... and where it ends.
        word: What it is searched by.
        kind: ``stop`` for a stop word; ``inner`` for a single character out of a longer run without spaces; ``content``
            for every other word.
    """

    start: int
    end: int
    word: str
    kind: Kind


@dataclass(frozen=True)
class Analyser:
    """Finds the words of texts of one language. It holds no state but its language, and is kept as JSON.

    Args:
        language: Two-letter code of a language that Snowball stems, such as ``en``; None neither stems nor knows stop
            words, and suits every language.

    Raises:
        UserError: Snowball has no stemmer for the language.
    """

    language: str | None = None

    def __post_init__(self) -> None:
        if self.language is not None and not _is_stemmed(self.language):
            known = ", ".join(Stemmer.algorithms())
            raise UserError(f"language must be the two-letter code of one of {known}, got {self.language!r}")

    @classmethod
    def of_corpus(cls, texts: Iterable[str]) -> "Analyser":
        """Choose the language of a corpus: the one in which at least half of the characters of a sample are written.

        A corpus of several languages, or of one that has no stemmer, gets no language.

        Args:
            texts: The corpus, read once.
        """
        characters = Counter[str]()
        for text in _sample(texts):
            characters[_language(text)] += len(text)
        language, most = characters.most_common(1)[0] if characters else ("", 0)
        return cls(language if _is_stemmed(language) and 0 < characters.total() <= 2 * most else None)

    @classmethod
    def from_json(cls, text: str) -> "Analyser":
        """Read what ``to_json`` wrote.

        Raises:
            UserError: It was written by a version that analyses otherwise.
        """
        recorded = json.loads(text)
        if recorded["rules"] != RULES:
            raise UserError(
                f"the index of words must follow version {RULES} of the analysis, got {recorded['rules']}; index again"
            )
        return cls(recorded["language"])

    @staticmethod
    def is_current(text: str) -> bool:
        """Whether ``from_json`` reads what was written down."""
        return bool(json.loads(text)["rules"] == RULES)

    def to_json(self) -> str:
        """Write the analysis down, to be recorded with an index of words."""
        return json.dumps({"rules": RULES, "language": self.language})

    def terms(self, text: str) -> Iterator[Term]:
        """Yield the words of a text with their places; those of one identifier or one run of characters overlap."""
        for match in _WORD.finditer(text):
            begin = match.start()
            for start, end, word, kind in _terms(match[0], self.language):
                yield Term(begin + start, begin + end, word, kind)

    def analyse(self, text: str) -> list[str]:
        """Give the words of a text, stop words too, in their order: what an index holds of it."""
        return [term.word for word in _WORD.findall(text) for term in _terms(word, self.language)]

    def query(self, text: str) -> list[str]:
        """Give the words that a query searches for: all but its stop words, and these too where there are no others."""
        terms = list(self.terms(text))
        return [term.word for term in terms if term.kind != "stop"] or [term.word for term in terms]

    def content(self, text: str) -> frozenset[str]:
        """Give the words that say what a query is about: those of ``query``, less single characters of longer runs."""
        terms = list(self.terms(text))
        return frozenset(term.word for term in terms if term.kind == "content") or frozenset(self.query(text))


def matched(query: str, text: str, analyser: Analyser) -> list[tuple[int, int]]:
    """Find the places of a text that match a query.

    Args:
        query: The query.
        text: The text.
        analyser: The analysis of both.

    Returns:
        Start and end, in characters, of each run of the text whose words are content words of the query; in order,
        apart from each other. Empty exactly where the text holds no content word of the query.
    """
    wanted = analyser.content(query)
    spans: list[tuple[int, int]] = []
    for start, end in sorted((term.start, term.end) for term in analyser.terms(text) if term.word in wanted):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    """Widen a part of a text, so that it neither begins nor ends within a word.

    Args:
        text: The text.
        start: Where the part begins, in characters ...
        end: ... and where it ends.

    Returns:
        Start and end of the widened part. In scripts without spaces between words it stays as it is.
    """
    for match in _WRITTEN.finditer(text):
        first, last = match.span()
        if first >= end:
            break
        if first < start < last:
            start = first
        if first < end < last:
            end = last
    return start, end


def _sample(texts: Iterable[str]) -> list[str]:
    """The beginnings of texts drawn evenly from a corpus whose size is not known (Vitter 1985, algorithm R)."""
    draw = random.Random(0)  # noqa: S311 no secret is drawn
    sample: list[str] = []
    for number, text in enumerate(texts):
        place = number if number < _SAMPLE else draw.randrange(number + 1)
        if place < _SAMPLE:
            sample[place : place + 1] = [text[:_SAMPLE_CHARACTERS]]
    return sample


def _language(text: str) -> str:
    import py3langid  # noqa: PLC0415 it reads its model, a second that searching need not wait

    return str(py3langid.classify(text)[0])


def _is_stemmed(language: str) -> bool:
    return len(language) == len("en") and _stemmer(language) is not None


@cache
def _stemmer(language: str) -> Callable[[str], str] | None:
    try:
        return Stemmer.Stemmer(language).stemWord
    except KeyError:
        return None


@cache
def _stop_words(language: str | None) -> frozenset[str]:
    """NLTK's list; empty for a language that has none."""
    if language not in _STOP_WORDS:
        return frozenset()
    return frozenset(getattr(_lists_of_bm25s(), f"STOPWORDS_{_STOP_WORDS[language]}"))


@cache
def _lists_of_bm25s() -> ModuleType:
    """The stop words of bm25s, without the package, which imports numba: half a second that a search need not wait."""
    package = importlib.util.find_spec("bm25s")
    assert package is not None, "a requirement of this package"  # noqa: S101 our own invariant
    name = "bm25s.stopwords"
    found = importlib.util.spec_from_file_location(name, Path(package.origin or "").with_name("stopwords.py"))
    assert found is not None, "a file of that package"  # noqa: S101 our own invariant
    assert found.loader is not None, "it is Python"  # noqa: S101 our own invariant
    lists = importlib.util.module_from_spec(found)
    found.loader.exec_module(lists)
    return lists


def _terms(word: str, language: str | None) -> Iterable[Term]:
    """The words in a run of letters and digits, their places counted from its beginning."""
    if word.isascii() or not _HAS_UNSPACED.search(word):
        return _terms_of_word(word, language)
    return _terms_without_spaces(word, language)


@lru_cache(maxsize=_CACHED_WORDS)
def _terms_of_word(word: str, language: str | None) -> tuple[Term, ...]:
    """The word, and its parts where it is an identifier."""
    parts = _parts(word)
    spans = [(parts[0][0], parts[-1][1]), *parts] if len(parts) > 1 else parts
    return tuple(
        Term(start, end, _stemmed(normal, language), "stop" if normal in _stop_words(language) else "content")
        for start, end in spans
        for normal in _WORD.findall(unicodedata.normalize("NFKC", word[start:end]).lower())
    )


def _stemmed(word: str, language: str | None) -> str:
    stem = None if language is None else _stemmer(language)
    if stem is not None:
        with _STEMMING:  # a stemmer has a state
            word = stem(word) or word
    if word.isascii():
        return word
    decomposed = _LATIN_ACCENT.sub("", unicodedata.normalize("NFD", word))
    return unicodedata.normalize("NFC", decomposed.translate(_LATIN_LETTERS))


def _parts(word: str) -> list[tuple[int, int]]:
    borders = [0, *(place for match in _BETWEEN_PARTS.finditer(word) for place in match.span()), len(word)]
    return [(start, end) for start, end in zip(borders[::2], borders[1::2], strict=True) if start < end]


def _terms_without_spaces(word: str, language: str | None) -> Iterator[Term]:
    """Characters and pairs of neighbours, and whatever else stands between such characters."""
    for match in _RUN.finditer(word):
        begin = match.start()
        found = _terms_of_word(match[2], language) if match[2] else _characters_and_pairs(match[1])
        for start, end, text, kind in found:
            yield Term(begin + start, begin + end, text, kind)


def _characters_and_pairs(run: str) -> Iterator[Term]:
    places = [match.span() for match in _CHARACTER.finditer(run)]
    kind: Kind = "inner" if len(places) > 1 else "content"
    for start, end in places:
        yield Term(start, end, unicodedata.normalize("NFKC", run[start:end]), kind)
    for (start, _), (_, end) in pairwise(places):
        yield Term(start, end, unicodedata.normalize("NFKC", run[start:end]), "content")
