"""Passages to learn from (stretches): runs of sentences about one thing, short enough to be learned from as a whole."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from selfsent.documents.document import Document, Span
from selfsent.documents.passages import count_words, passages
from selfsent.documents.sentences import sentences

STRETCH_WORDS = 400
"""Words of a stretch, at most."""

_WINDOW_WORDS = 10
_WORD = re.compile(r"\S+")
_LEAST_WORDS_TO_CUT = 16


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A run of sentences of one document.

    Args:
        document: Number of the document in its corpus.
        title: Its title, or nothing.
        sentences: Each on one line, without code.
    """

    document: int
    title: str
    sentences: tuple[str, ...]

    @property
    def parts(self) -> tuple[str, ...]:
        """The title, where there is one, and the sentences."""
        return (self.title, *self.sentences) if self.title else self.sentences


def stretches(documents: Iterable[Document]) -> Iterator[Stretch]:
    """Cut the prose of documents into stretches; a document without text has its title alone.

    Args:
        documents: Read once.
    """
    for number, document in enumerate(documents):
        for passage in passages(document.prose(), max_tokens=STRETCH_WORDS, count_tokens=count_words):
            lines = tuple(" ".join(passage.text[start:end].split()) for start, end in sentences(passage.text))
            if lines or document.title:
                yield Stretch(document=number, title=document.title, sentences=lines)


def windows(stretch: Stretch) -> Stretch:
    """Cut a stretch of a single part into windows of about ten words, so that one can be compared with the others.

    For corpora whose documents are single sentences, where nothing else stands together. Shorter ones stay whole.
    """
    spans = window_spans(stretch.parts[0]) if len(stretch.parts) == 1 else []
    if len(spans) < 2:  # noqa: PLR2004 a part and a rest
        return stretch
    cut = tuple(stretch.parts[0][start:end] for start, end in spans)
    return Stretch(document=stretch.document, title="", sentences=cut)


def window_spans(text: str) -> list[Span]:
    """Cut a text into windows of about ten words; one of fewer than 16 words is one window.

    Returns:
        Start and end of each, in characters.
    """
    words = [found.span() for found in _WORD.finditer(text)]
    num_windows = max(2, round(len(words) / _WINDOW_WORDS)) if len(words) >= _LEAST_WORDS_TO_CUT else 1
    bounds = [round(number * len(words) / num_windows) for number in range(num_windows + 1)]
    return [(words[start][0], words[end - 1][1]) for start, end in pairwise(bounds) if start < end]
