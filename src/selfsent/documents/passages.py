"""Passages: a document cut into runs that a model takes whole."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from selfsent.documents.document import Document


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


def passages(document: Document, *, max_tokens: int, count_tokens: Callable[[str], int]) -> Iterator[Passage]:
    """Cut a document into passages of at most ``max_tokens`` tokens."""
    raise NotImplementedError
