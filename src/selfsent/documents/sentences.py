"""Sentences of a text as offsets, in languages with spaces and without."""

import re
import unicodedata
from collections.abc import Iterator

from selfsent.data.prose import sentence_ends
from selfsent.documents.document import Span

PARAGRAPH_END = re.compile(r"\n[^\S\n]*\n\s*")
_OTHER_END = re.compile("[。！？｡।॥؟۔።፧]+[\"'”’」』）)\\]]*\\s*")  # noqa: RUF001 the marks of other scripts


def sentences(text: str) -> Iterator[Span]:
    """Split a text into sentences.

    Args:
        text: A document's text, or a passage's.

    Yields:
        Start and end of each, without the white space around it. A paragraph ends a sentence; the end of a line does
        not.
    """
    for start, end in _paragraphs(text):
        last = start
        for boundary in (*sentence_boundaries(text, start, end), end):
            stripped = text[last:boundary].rstrip()
            if stripped:
                yield last, last + len(stripped)
            last = boundary


def sentence_boundaries(text: str, start: int, end: int) -> list[int]:
    """List where the sentences inside a stretch of a text begin, the first of them left out."""
    others = (found.end() for found in _OTHER_END.finditer(text, start, end))
    return sorted({*sentence_ends(text, start, end), *(boundary for boundary in others if boundary < end)})


def _paragraphs(text: str) -> Iterator[Span]:
    start = len(text) - len(text.lstrip())
    for found in PARAGRAPH_END.finditer(text, start):
        yield start, found.start()
        start = found.end()
    if start < len(text):
        yield start, len(text)


def is_wide(character: str) -> bool:
    """Tell whether a character is of a script that is written without spaces, as Chinese and Japanese are."""
    return unicodedata.east_asian_width(character) in "WF"
