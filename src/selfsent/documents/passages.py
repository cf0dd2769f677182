"""Passages: a document cut into runs that a model takes whole, with nothing lost but the white space between them."""

import bisect
import functools
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from selfsent.documents.document import Document
from selfsent.documents.sentences import PARAGRAPH_END, is_wide, sentence_boundaries
from selfsent.errors import UserError

CountTokens = Callable[[str], int]

_LINE_END = re.compile(r"\n\s*")
_SPACE = re.compile(r"\s+")
_MIN_FILL = 0.2
"""A paragraph or a sentence much shorter than a passage does not end one: what follows is begun with it."""

_WORD = re.compile(r"\S{1,24}")
"""A word, or a part of a long one."""

_NUM_AHEAD = 2  # characters by which the end of a sentence is recognised
_TOLERANCE = 0.15
_LIKELY = 2.5  # characters a token: of a text with fewer, it is cheaper to count than to estimate
_NUM_WORDS = 2**17
_MAX_TRIES = 4
_JOINERS = frozenset("\u200d\ufe0e\ufe0f")


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A run of a document: ``document.text[start:end] == text``.

    Args:
        document_id: Id of the document.
        title: Title of the document, or nothing.
        text: The run. Empty only where the document is a title alone.
        start: Offset of its first character in the document's text.
        end: Offset of the character behind its last.
        line: The 1-based line of the file at which it begins, where lines have a meaning.
        page: The 1-based page on which it begins, where there are pages.
    """

    document_id: str
    title: str
    text: str
    start: int
    end: int
    line: int | None = None
    page: int | None = None


def count_words(text: str) -> int:
    """Count words set off by white space: a ``count_tokens`` that is the same for every model."""
    return len(text.split())


def is_short(num_characters: int, max_tokens: int) -> bool:
    """Tell whether a text is likely to be one passage, so that it is counted as a whole before anything else."""
    return num_characters <= _LIKELY * max_tokens


def passages(document: Document, *, max_tokens: int, count_tokens: CountTokens) -> Iterator[Passage]:
    """Cut a document into passages.

    A passage ends at the last heading of the highest level that is within reach, else at the last paragraph, else at
    the last sentence, line, word, or character. So short paragraphs stand together in one passage, and a document that
    is short enough is one. A heading stays with what follows it.

    Args:
        document: The document. One that is a title alone gives one passage without text.
        max_tokens: What a passage has at most, counted by ``count_tokens``, at least 1.
        count_tokens: Number of tokens the model makes of a text, the special ones included where it adds them. It is
            called a little more than once for each passage.

    Yields:
        Passages in order; only white space stands between two.

    Raises:
        UserError: ``max_tokens`` does not hold a single character.
    """
    if max_tokens < 1:
        raise UserError(f"max_tokens must be at least 1, got {max_tokens}")
    cutter = _Cutter(document, max_tokens, count_tokens)
    text = document.text
    start = _next_text(text, 0)
    while start < len(text) or (start == 0 and document.title):
        boundary = cutter.end_of(start)
        end = start + len(text[start:boundary].rstrip())
        yield Passage(
            document_id=document.id,
            title=document.title,
            text=text[start:end],
            start=start,
            end=end,
            line=document.line_at(start),
            page=document.page_at(start),
        )
        if not text:
            return
        start = _next_text(text, boundary)


def _next_text(text: str, start: int) -> int:
    found = _SPACE.match(text, start)
    return found.end() if found else start


class _Cutter:
    """Finds where the passage that begins at an offset ends.

    Counting tokens is what takes the time, so a passage's length is first estimated, by the sum over its words of what
    each has alone (many words are counted once only), then counted, and corrected where the estimate was wrong.
    """

    def __init__(self, document: Document, max_tokens: int, count_tokens: CountTokens) -> None:
        self._text = document.text
        self._max_tokens = max_tokens
        self._count_tokens = count_tokens
        self._word_counts = _word_counts(count_tokens)
        self._ratio = 1.0
        """Tokens of a text as a multiple of the sum over its words."""
        self._headings = [heading.span for heading in document.headings]
        self._heading_starts = _heading_starts(document)

    def end_of(self, start: int) -> int:
        """Give the offset at which the passage from ``start`` ends, white space behind it included."""
        best, end, limit = 0, 0, len(self._text)
        if is_short(limit - start, self._max_tokens) and self._count(start, limit) <= self._max_tokens:
            return limit
        for _ in range(_MAX_TRIES):
            reach = min(limit, self._reach(start))
            end = self._boundary(start, reach)
            if end <= best:
                break
            num_tokens = self._count(start, end)
            is_mended = self._mend(num_tokens * (reach - start) / ((end - start) * self._max_tokens))
            if num_tokens <= self._max_tokens:
                best = end
                if not is_mended:
                    break
            else:
                limit = start + max(1, (end - start) * 19 // 20)
        return best or self._by_halves(start, end)

    def _by_halves(self, start: int, end: int) -> int:
        """Halve a stretch until it fits: for texts whose tokens are spread so unevenly that no estimate holds."""
        while (num_tokens := self._count(start, end)) > self._max_tokens:
            if end - start == 1:
                raise UserError(
                    f"max_tokens must hold at least one character, got {self._max_tokens} where "
                    f"{self._text[start:end]!r} alone has {num_tokens} tokens; give more"
                )
            half = (start + end) // 2
            boundary = self._boundary(start, half)
            end = boundary if boundary < end else half
        return end

    def _count(self, start: int, end: int) -> int:
        return self._count_tokens(self._text[start:end].rstrip())

    def _mend(self, ratio: float) -> bool:
        """Take note of how far a count was from its estimate, if it was far."""
        is_far = ratio > 0 and abs(ratio - 1) > _TOLERANCE
        if is_far:
            self._ratio *= ratio
        return is_far

    def _reach(self, start: int) -> int:
        """Estimate up to where the text fits, white space behind it included."""
        room = self._max_tokens / self._ratio - self._word_counts("")
        reach = start
        for word in _WORD.finditer(self._text, start):
            num_tokens = self._word_counts(word.group())
            if num_tokens > room:
                if reach == start:  # a word that does not fit as a whole
                    reach += int((word.end() - start) * room / num_tokens)
                return max(start + 1, _next_text(self._text, reach))
            room -= num_tokens
            reach = word.end()
        return len(self._text)

    def _boundary(self, start: int, limit: int) -> int:
        """Give the best place to end a passage behind ``start`` and not behind ``limit``."""
        text = self._text
        if limit >= len(text):
            return len(text)
        if boundary := self._heading_boundary(start, limit):
            return boundary
        least = start + int(_MIN_FILL * (limit - start))
        for boundaries in (
            (found.end() for found in PARAGRAPH_END.finditer(text, start, limit)),
            sentence_boundaries(text, start, min(len(text), limit + _NUM_AHEAD)),
            (found.end() for found in _LINE_END.finditer(text, start, limit)),
        ):
            allowed = [end for end in boundaries if least < end <= limit and not self._follows_heading(end)]
            if allowed:
                return allowed[-1]
        return _word_boundary(text, least, limit) or _character_boundary(text, start, limit)

    def _heading_boundary(self, start: int, limit: int) -> int:
        """Give the last heading of the highest level between the two, or 0."""
        first = bisect.bisect_right(self._heading_starts, start, key=lambda heading: heading[0])
        last = bisect.bisect_right(self._heading_starts, limit, key=lambda heading: heading[0])
        levels = [(-level, offset) for offset, level in self._heading_starts[first:last]]
        return max(levels)[1] if levels else 0

    def _follows_heading(self, boundary: int) -> bool:
        """Tell whether a passage that ends here would end with a heading, or in the middle of one."""
        number = bisect.bisect_left(self._headings, boundary, key=lambda span: span[0])
        return number > 0 and not self._text[self._headings[number - 1][1] : boundary].strip()


@functools.lru_cache(maxsize=4)
def _word_counts(count_tokens: CountTokens) -> CountTokens:
    """Give what counts the tokens that a word adds to a text; of the empty word, those that every text has."""
    num_special = count_tokens("")
    return functools.lru_cache(maxsize=_NUM_WORDS)(
        lambda word: count_tokens(word) - num_special if word else num_special
    )


def _heading_starts(document: Document) -> Sequence[tuple[int, int]]:
    """List offset and level of each heading, except those that follow another heading directly."""
    starts: list[tuple[int, int]] = []
    previous = 0
    for heading in document.headings:
        if document.text[previous : heading.start].strip():
            starts.append((heading.start, heading.level))
        previous = heading.end
    return starts


def _word_boundary(text: str, least: int, limit: int) -> int:
    """Give the last place between two words, or between two characters of a script without spaces; else 0."""
    for boundary in range(limit, least, -1):
        if (text[boundary].isspace() or text[boundary - 1].isspace() or is_wide(text[boundary - 1])) and not _is_joined(
            text, boundary
        ):
            return boundary
    return 0


def _character_boundary(text: str, start: int, limit: int) -> int:
    """Give the last place between two characters as a reader counts them: an accent stays with its letter."""
    boundaries = range(limit, start, -1)
    return next((boundary for boundary in boundaries if not _is_joined(text, boundary)), limit)


def _is_joined(text: str, boundary: int) -> bool:
    after = text[boundary]
    return unicodedata.category(after)[0] == "M" or after in _JOINERS or text[boundary - 1] == "\u200d"
