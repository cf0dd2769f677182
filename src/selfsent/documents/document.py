"""A document: a text with a title, where it came from, and what stands where in it (headings, code, pages)."""

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from selfsent.data.heldout import hash_of_text

Kept = str | int | float | bool
"""A value of a table that is kept beside its document."""

Span = tuple[int, int]
"""Start and end of a stretch of a text, in characters; the end is the first character behind it."""

_MAX_GAP = 100  # characters of white space behind a block of code


@dataclass(frozen=True, kw_only=True)
class Heading:
    """Where a heading stands in the text of its document.

    Args:
        start: Its first character.
        end: The character behind its last.
        level: 1 for a chapter, 2 for a part of a chapter, and so on.
    """

    start: int
    end: int
    level: int

    @property
    def span(self) -> Span:
        """Start and end."""
        return self.start, self.end


@dataclass(frozen=True, kw_only=True)
class Document:
    """A text that belongs together: a file, a row of a table, or a docstring.

    The title is not part of the text. The text is empty only where the document is a title alone. All offsets count
    the characters of ``text``.

    Args:
        id: Names the document in its source, the same at every reading: the file's path in the source; what a row's
            ``_id``, ``id`` or ``url`` says, else file and line; the qualified name of a docstring.
        text: The text, without markup and without what is not text in its format (navigation, scripts, page headers).
        title: The title, or nothing.
        file: Path in the source, as a person would write it; ``None`` for a docstring.
        line: The 1-based line in the file at which the document begins, where lines have a meaning.
        package: For a docstring its top-level package ...
        qualified_name: ... and its module, class and function.
        page_starts: Offset at which each page begins; empty where there are no pages.
        headings: In the order of the text.
        code_spans: Blocks of code in the order of the text: kept for search, left out by ``prose``.
        line_marks: Pairs of an offset and the line of the file that stands there, in order; empty where the lines of
            the text are not those of a file.
        kept: Names and values of further columns of the row, those that were asked for.
    """

    id: str
    text: str
    title: str = ""
    file: str | None = None
    line: int | None = None
    package: str | None = None
    qualified_name: str | None = None
    page_starts: tuple[int, ...] = ()
    headings: tuple[Heading, ...] = ()
    code_spans: tuple[Span, ...] = ()
    line_marks: tuple[tuple[int, int], ...] = ()
    kept: tuple[tuple[str, Kept], ...] = ()

    @property
    def content_hash(self) -> int:
        """64 bits of title and text, the same on every machine: tells a changed document, and draws the held-out part.

        A document without a title has the hash of its text, so that a docstring is held out here where the corpus
        ``docs:`` holds it out.
        """
        return hash_of_text(f"{self.title}\n{self.text}" if self.title else self.text)

    def line_at(self, offset: int) -> int | None:
        """Give the line of the file that a character of the text stands in, where it is known."""
        number = bisect.bisect_right(self.line_marks, offset, key=lambda mark: mark[0])
        if not number:
            return self.line
        start, line = self.line_marks[number - 1]
        return line + self.text.count("\n", start, offset)

    def page_at(self, offset: int) -> int | None:
        """Give the 1-based page that a character of the text stands on, where there are pages."""
        return bisect.bisect_right(self.page_starts, offset) or None

    def prose(self) -> "Document":
        """Leave the blocks of code out: the same document with a text (and offsets) of its own, for training."""
        if not self.code_spans:
            return self
        kept = _Kept.without(self.code_spans, self.text)
        return replace(
            self,
            text=kept.text,
            page_starts=tuple(map(kept.moved, self.page_starts)),
            headings=tuple(replace(one, start=kept.moved(one.start), end=kept.moved(one.end)) for one in self.headings),
            code_spans=(),
            line_marks=tuple((kept.moved(offset), line) for offset, line in self.line_marks),
        )


@dataclass(frozen=True)
class _Kept:
    """What is left of a text without some spans, and where its characters stand then."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int]
    num_removed: Sequence[int]

    @classmethod
    def without(cls, spans: Sequence[Span], text: str) -> "_Kept":
        """Leave out each span and the white space behind it."""
        starts = [start for start, _ in spans]
        ends = [end + len(text[end : end + _MAX_GAP]) - len(text[end : end + _MAX_GAP].lstrip()) for _, end in spans]
        pieces = [text[start:end] for start, end in zip([0, *ends], [*starts, len(text)], strict=True)]
        lengths = (end - start for start, end in zip(starts, ends, strict=True))
        return cls("".join(pieces).rstrip(), starts, ends, [0, *itertools.accumulate(lengths)])

    def moved(self, offset: int) -> int:
        """Where the character at ``offset`` stands now; one that was left out, where the next that was kept stands."""
        number = bisect.bisect_right(self.starts, offset)
        inside = max(0, self.ends[number - 1] - offset) if number else 0
        return min(offset + inside - self.num_removed[number], len(self.text))
