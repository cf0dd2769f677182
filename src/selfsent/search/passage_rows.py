"""From documents to the rows of a store: cut into passages that fit the model, each with an id of its content."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from selfsent.documents.document import Document
from selfsent.documents.passages import is_short, passages
from selfsent.encoding import chunked, document_prompt, num_tokens, token_limit
from selfsent.search.store_schema import storable

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from selfsent.runtime.runtime_model import RuntimeModel

MAX_TOKENS = 256
"""Tokens of a passage at most, where nobody says otherwise."""

NUM_LOOKED_AT = 20_000
"""Texts, or documents, by which the language of a new store is chosen."""

_ID_BYTES = 16
_COUNTED_AT_ONCE = 512  # documents
_CHARACTERS_LOOKED_AT = 1 << 26

Row = dict[str, Any]


class PassageCutter:
    """Cuts documents into passages that fit the model together with the title.

    Args:
        model: The model, whose tokenizer counts.
        max_tokens: Tokens of a passage at most; None for the default.
    """

    def __init__(self, model: "SentenceTransformer | RuntimeModel", max_tokens: int | None) -> None:
        self._model = model
        self._limit = token_limit(model)
        self._prompt = document_prompt(model)
        self.max_tokens = max_tokens or min(MAX_TOKENS, self._limit or MAX_TOKENS)
        self._counted: dict[str, int] = {}

    def rows(self, documents: Iterable[Document]) -> Iterator[list[Row]]:
        """Yield the rows of each document; the tokens of short ones are counted together, on all threads."""
        for some in chunked(documents, _COUNTED_AT_ONCE):
            texts = (document.text.strip() for document in some)
            whole = [text for text in texts if is_short(len(text), self.max_tokens)]
            self._counted = dict(zip(whole, num_tokens(self._model, whole), strict=True))
            yield from map(self, some)

    def __call__(self, document: Document) -> list[Row]:
        """Give the rows of a document."""
        place = {"file": document.file, "package": document.package, "qualified_name": document.qualified_name}
        return [
            {
                "text": passage.text,
                "document": document.id,
                "title": passage.title,
                "start": passage.start,
                "end": passage.end,
                "line": passage.line,
                "page": passage.page,
                **{name: storable(value) for name, value in place.items()},
                **{name: None if value == "" else value for name, value in document.kept},
            }
            for passage in passages(document, max_tokens=self._room(document.title), count_tokens=self._count)
        ]

    def _room(self, title: str) -> int:
        """Tokens left for the text beside the title; half of what the model reads at least."""
        if self._limit is None:
            return self.max_tokens
        before = f"{self._prompt}{title}".strip()
        taken = self._count(before) if before else 0
        return max(1, min(self.max_tokens, self._limit - min(taken, self._limit // 2)))

    def _count(self, text: str) -> int:
        counted = self._counted.get(text)
        return num_tokens(self._model, [text])[0] if counted is None else counted


def identify(rows: Sequence[Row], key: str) -> None:
    """Give each passage of a document an id: the hash of its source, document, title and text.

    Equal passages are told apart by their count.

    Args:
        rows: The rows of one document, which receive ``id`` and ``sources``.
        key: Key of the source.
    """
    num_seen: Counter[str] = Counter()
    for row in rows:
        content = "\0".join((key, str(row["document"]), row["title"], row["text"]))
        num_seen[content] += 1
        named = f"{content}\0{num_seen[content]}".encode("utf8", "surrogatepass")
        row["id"] = hashlib.blake2b(named, digest_size=_ID_BYTES).hexdigest()
        row["sources"] = key


def first_documents(documents: Iterator[Document]) -> list[Document]:
    """Take the documents by which a new store is settled: 20,000, or fewer if they have 64 million characters."""
    first: list[Document] = []
    num_characters = 0
    while len(first) < NUM_LOOKED_AT and num_characters < _CHARACTERS_LOOKED_AT:
        document = next(documents, None)
        if document is None:
            break
        first.append(document)
        num_characters += len(document.text)
    return first


def encoded_text(row: Row) -> str:
    """What a model encodes of a passage: its title and its text."""
    return f"{row['title']} {row['text']}".strip()
