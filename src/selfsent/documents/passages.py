"""Passages: a document cut into runs that a model takes whole, with nothing lost but the white space between them."""

import bisect
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

_GOOD_FILL = 0.75
_TOKENS_PER_BYTE = 0.25
"""Of UTF-8: the first guess, about right for English, Russian and Chinese in a vocabulary that knows them."""

_LEAST_TOKENS_PER_CHARACTER = 0.01
_NUM_SAMPLED = 500  # characters
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

    Counting tokens is what takes the time, so a passage's length is first estimated from the tokens per character seen
    so far, then counted, and mended where the estimate was wrong.
    """

    def __init__(self, document: Document, max_tokens: int, count_tokens: CountTokens) -> None:
        self._text = document.text
        self._max_tokens = max_tokens
        self._count_tokens = count_tokens
        sample = document.text[:_NUM_SAMPLED]
        self._tokens_per_character = _TOKENS_PER_BYTE * len(sample.encode()) / max(1, len(sample))
        self._counted = (0, 0), 0
        self._headings = [heading.span for heading in document.headings]
        self._heading_starts = _heading_starts(document)

    def end_of(self, start: int) -> int:
        """Give the offset at which the passage from ``start`` ends, white space behind it included."""
        best = 0
        end = self._boundary(start, start + self._reach())
        for _ in range(_MAX_TRIES):
            num_tokens = self._count(start, end)
            reach = int((end - start) * self._max_tokens / max(1, num_tokens))
            if num_tokens > self._max_tokens:
                end = max(best, self._boundary(start, start + min(reach, (end - start) * 19 // 20)))
            else:
                best = end
                if num_tokens >= _GOOD_FILL * self._max_tokens:
                    break
                end = self._boundary(start, start + reach)
            if end <= best:
                break
        return best or self._by_halves(start, end)

    def _by_halves(self, start: int, end: int) -> int:
        """Halve a stretch until it fits: for texts whose tokens are spread so unevenly that no estimate holds."""
        while (num_tokens := self._count(start, end)) > self._max_tokens:
            if end - start == 1:
                raise UserError(
                    f"max_tokens must hold at least one character, got {self._max_tokens} where "
                    f"{self._text[start:end]!r} alone has {num_tokens} tokens; give more"
                )
            end = max(start + 1, self._boundary(start, start + (end - start) // 2))
        return end

    def _count(self, start: int, end: int) -> int:
        if self._counted[0] != (start, end):
            self._counted = (start, end), self._count_tokens(self._text[start:end].rstrip())
            self._tokens_per_character = self._counted[1] / (end - start)
        return self._counted[1]

    def _reach(self) -> int:
        """Estimate how many characters fit."""
        return max(1, int(self._max_tokens / max(self._tokens_per_character, _LEAST_TOKENS_PER_CHARACTER)))

    def _boundary(self, start: int, limit: int) -> int:
        """Give the best place to end a passage behind ``start`` and not behind ``limit``."""
        text = self._text
        if limit >= len(text):
            return len(text)
        limit = max(limit, start + 1)
        if boundary := self._heading_boundary(start, limit):
            return boundary
        least = start + int(_MIN_FILL * (limit - start))
        for boundaries in (
            (found.end() for found in PARAGRAPH_END.finditer(text, start, limit)),
            sentence_boundaries(text, start, limit),
            (found.end() for found in _LINE_END.finditer(text, start, limit)),
        ):
            allowed = [boundary for boundary in boundaries if boundary > least and not self._follows_heading(boundary)]
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


def _heading_starts(document: Document) -> Sequence[tuple[int, int]]:
    """List offset and level of each heading, save those that follow another heading at once."""
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
    boundaries = range(limit, start + 1, -1)
    return next((boundary for boundary in boundaries if not _is_joined(text, boundary)), start + 1)


def _is_joined(text: str, boundary: int) -> bool:
    after = text[boundary]
    return unicodedata.category(after)[0] == "M" or after in _JOINERS or text[boundary - 1] == "\u200d"
