"""Rows for methods that learn from single texts: the sentences of the passages of documents, none left out."""

import re
from collections.abc import Iterable, Iterator

from selfsent.data.columns import Row
from selfsent.documents.document import Document
from selfsent.documents.passages import count_words, passages
from selfsent.documents.sentences import sentences
from selfsent.documents.stretches import STRETCH_WORDS

LONGEST = 64
"""Largest number of pieces of a text; a method that reads 200 tokens reads them all."""

_SHORTEST = 4
_PIECE = re.compile(r"[\u2e80-\U0003ffff]|[^\s\u2e80-\U0003ffff]{1,8}")
"""A letter of a script that has no spaces, or up to eight letters of a word of any other."""


def text_rows(documents: Iterable[Document]) -> Iterator[Row]:
    """Give the sentences of documents as rows ``text, file, line``, without blocks of code.

    A sentence of fewer than four pieces, or a title, stands with its neighbour; one that is too long is cut where a
    passage would be. So nothing is left out for its length.

    Args:
        documents: Read once.
    """
    for document in documents:
        title = document.title
        for passage in passages(document.prose(), max_tokens=STRETCH_WORDS, count_tokens=count_words):
            lines = [passage.text[start:end] for start, end in sentences(passage.text)]
            for text in _joined([*([title] if title else []), *lines]):
                for part in _cut(text):
                    yield {"text": part, "file": document.file or "", "line": passage.line or 0}
            title = ""


def count_pieces(text: str) -> int:
    """Count pieces of words, about as many as a tokenizer makes of a text."""
    return len(_PIECE.findall(text))


def _joined(texts: Iterable[str]) -> Iterator[str]:
    """Join short texts with the next, the last ones with the one before."""
    whole = waiting = ""
    for text in texts:
        waiting = f"{waiting} {' '.join(text.split())}".strip()
        if count_pieces(waiting) < _SHORTEST:
            continue
        if whole:
            yield whole
        whole, waiting = waiting, ""
    if last := f"{whole} {waiting}".strip():
        yield last


def _cut(text: str) -> Iterator[str]:
    if count_pieces(text) <= LONGEST:
        yield text
        return
    for passage in passages(Document(id="", text=text), max_tokens=LONGEST, count_tokens=count_pieces):
        yield passage.text
