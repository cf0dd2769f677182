"""Scores of documents by their nearest passages, and at which rank a query's right document stands."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from jaxtyping import Float, Int

from selfsent.evaluation.sentence_vectors import Encoder, encode_distinct

CUTOFF = 10
_CELLS_AT_ONCE = 20_000_000

Scores = Float[np.ndarray, "Q P"]
Ranks = Int[np.ndarray, " Q"]


@dataclass(frozen=True, kw_only=True)
class DocumentQuestions:
    """Queries, each with one right document among others.

    Args:
        name: Name of the part of a document that the queries are.
        queries: The queries.
        right: Number of the document that answers each query.
        passages: All passages.
        documents: Number of the document of each passage.
        names: Id and title of documents by number, for people.
    """

    name: str
    queries: Sequence[str]
    right: Int[np.ndarray, " Q"]
    passages: Sequence[str]
    documents: Int[np.ndarray, " P"]
    names: Mapping[int, tuple[str, str]] = field(default_factory=dict[int, tuple[str, str]])

    @property
    def right_columns(self) -> Int[np.ndarray, " Q"]:
        """Where the right documents stand among the columns of `document_scores`."""
        return np.searchsorted(np.unique(self.documents), self.right)


class PassageScorer(Protocol):
    """Scores passages for queries; higher is nearer."""

    def passage_scores(self, queries: Sequence[str], passages: Sequence[str]) -> Iterator[Scores]:
        """Yield the scores of all passages, some queries at a time, in order."""
        ...


class CosineScores:
    """Scores passages by the cosines of a model's embeddings.

    Args:
        model: The model; its ``encode_query`` and ``encode_document`` are used where it has such.
        batch_size: Texts encoded at once.
    """

    def __init__(self, model: Encoder, *, batch_size: int = 256) -> None:
        self.model = model
        self.batch_size = batch_size

    def passage_scores(self, queries: Sequence[str], passages: Sequence[str]) -> Iterator[Scores]:
        """Yield the cosines of queries and passages; 0 where a vector is zero."""
        found = encode_distinct(self.model, passages, role="document", batch_size=self.batch_size, what="passages")
        asked = encode_distinct(self.model, queries, role="query", batch_size=self.batch_size, what="queries")
        rows, columns = _unit(asked.of(queries)), _unit(found.of(passages))
        for start in range(0, len(rows), at_once := max(1, _CELLS_AT_ONCE // max(1, len(columns)))):
            yield rows[start : start + at_once] @ columns.T


def _unit(vectors: Float[np.ndarray, "B D"]) -> Float[np.ndarray, "B D"]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1)


class NearestPassages:
    """Takes scores of passages to scores of their documents: the highest of each.

    Args:
        documents: Number of the document of each passage; documents without a passage are not there.
    """

    def __init__(self, documents: Int[np.ndarray, " P"]) -> None:
        self._order = np.argsort(documents, kind="stable")
        self.documents, self._starts = np.unique(documents[self._order], return_index=True)

    def __call__(self, scores: Scores) -> Scores:
        """Give the scores of the documents, in the order of ``documents``."""
        return np.maximum.reduceat(scores[:, self._order], self._starts, axis=1)


def document_scores(scorer: PassageScorer, questions: DocumentQuestions) -> Iterator[Scores]:
    """Yield the scores of all documents, in the order of their numbers, some queries at a time."""
    nearest = NearestPassages(questions.documents)
    for scores in scorer.passage_scores(questions.queries, questions.passages):
        yield nearest(scores)


def right_ranks(scorer: PassageScorer, questions: DocumentQuestions) -> Ranks:
    """Give the rank of each query's right document, from 1; of equal scores the right document comes last.

    A document with a score of 0 or less by words, or by a zero vector, is ranked last: ties never help.
    """
    return ranks_of(document_scores(scorer, questions), questions)


def ranks_of(rows: Iterator[Scores], questions: DocumentQuestions) -> Ranks:
    """Give the ranks of the right documents from scores of documents; see ``right_ranks``."""
    column = questions.right_columns
    ranks: list[Ranks] = []
    start = 0
    for scores in rows:
        own = scores[np.arange(len(scores)), column[start : start + len(scores)], None]
        ranks.append((scores >= own).sum(axis=1))
        start += len(scores)
    return np.concatenate(ranks) if ranks else np.zeros(0, dtype=np.int64)


def gains(ranks: Ranks) -> Float[np.ndarray, " Q"]:
    """Give the nDCG@10 of questions with one right document each."""
    return np.where(ranks <= CUTOFF, 1 / np.log2(1 + ranks), 0.0)
