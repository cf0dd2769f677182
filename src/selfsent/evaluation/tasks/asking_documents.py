"""Queries cut out of documents before the training; each must find the rest of its document, which is trained on.

This resembles the use of a search: its documents are those that the model has learned from, and only the queries are
new. It weighs words against meaning as real judgements do, where documents that are held out as a whole say on CACM
that words alone are best. Among neighbouring settings of a training it is a weak guide (docs/experiments.md).
"""

from collections.abc import Iterable, Iterator

import numpy as np

from selfsent.data.heldout import hash_of_text
from selfsent.documents.document import Document
from selfsent.documents.sentences import sentences
from selfsent.documents.stretches import window_spans
from selfsent.errors import UserError
from selfsent.evaluation.document_scores import DocumentQuestions
from selfsent.evaluation.tasks.own_documents import PassagesOf, share_with, without

LEAD = "lead"
RANDOM = "random sentence"

_WANTED_DOCUMENTS = 700
_LEAST_PARTS = 3
_NUM_HASHES = 2**64


class AskingDocuments:
    """A corpus to learn from, without the parts of some documents that serve as queries.

    The lead (the title, or else the first sentence) and one random sentence are cut out of documents that have a third
    part, as many as 700, or 5% of a large corpus. Which ones is decided by their contents. A document of a single
    sentence has windows of about ten words instead of sentences.

    Args:
        documents: The corpus, read at every iteration.
        num_documents: How many there are.
    """

    def __init__(self, documents: Iterable[Document], num_documents: int) -> None:
        self._documents = documents
        self._share = share_with(_WANTED_DOCUMENTS, num_documents)

    def __iter__(self) -> Iterator[Document]:
        """Yield the documents to learn from."""
        for document in self._documents:
            parts = self._parts(document)
            yield document if parts is None else parts[2]

    def _parts(self, document: Document) -> tuple[str, str, Document] | None:
        """Lead, random sentence and rest of a document with queries; ``None`` for the others."""
        if hash_of_text(f"asks\n{document.title}\n{document.text}") >= self._share * _NUM_HASHES:
            return None
        document = document.prose()
        spans = list(sentences(document.text))
        if len(spans) == 1 and not document.title:
            spans = window_spans(document.text)
        if len(spans) + bool(document.title) < _LEAST_PARTS:
            return None
        texts = [" ".join(document.text[slice(*span)].split()) for span in spans]
        first = 0 if document.title else 1
        by_hash = sorted(range(first, len(spans)), key=lambda place: hash_of_text(texts[place]))
        cut = [spans[by_hash[0]], *([] if document.title else [spans[0]])]
        return document.title or texts[0], texts[by_hash[0]], without(document, cut, keep_title=False)

    def tasks(self, *, max_queries: int = 1000, max_other_passages: int | None = None) -> list[DocumentQuestions]:
        """Make the tasks: leads, and random sentences, look for the rests of their documents among all documents.

        Args:
            max_queries: Largest number of documents with queries.
            max_other_passages: Largest number of passages of the other documents; ``None``: all.

        Raises:
            UserError: Fewer than two documents can ask.
        """
        leads: list[str] = []
        randoms: list[str] = []
        found, others = PassagesOf(), PassagesOf()
        for number, document in enumerate(self._documents, start=max_queries):
            parts = self._parts(document)
            if parts is None:
                others.add(document, number)
            elif len(leads) < max_queries:
                found.add(parts[2], len(leads))
                leads.append(parts[0])
                randoms.append(parts[1])
        if len(leads) < 2:  # noqa: PLR2004 one says nothing
            raise UserError(
                f"choosing without labels needs two documents with a title and two sentences, or three sentences, got"
                f" {len(leads)}; give more documents"
            )
        others = others.limited(max_other_passages)
        documents = np.array([*found.documents, *others.documents], dtype=np.int64)
        return [
            DocumentQuestions(
                name=name,
                queries=queries,
                right=np.arange(len(leads), dtype=np.int64),
                passages=[*found.texts, *others.texts],
                documents=documents,
                names=others.names | found.names,
            )
            for name, queries in ((LEAD, leads), (RANDOM, randoms))
        ]
