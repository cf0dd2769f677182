"""Choose the weight of cosines and BM25 in hybrid search, without labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from selfsent.evaluation.document_scores import (
    DocumentQuestions,
    PassageScorer,
    Ranks,
    Scores,
    document_scores,
    gains,
)
from selfsent.search.fusion import NUM_CANDIDATES, fused

WEIGHTS = tuple(round(0.05 * step, 2) for step in range(21))
_FAR = np.float32(-np.inf)
_TOLERANCE = 0.005  # half a point of nDCG less is chance

Curve = Float[np.ndarray, " W"]
"""nDCG@10 by weight, for each of `WEIGHTS`."""


@dataclass(frozen=True, kw_only=True)
class HybridCandidates:
    """What hybrid search ranks for some queries: the best documents by words and by meaning, at most 200 a query.

    Args:
        words: BM25 of the candidates, 0 where a query has fewer than others.
        cosines: Their cosines, likewise.
        documents: Their places among all documents, -1 where a query has fewer than others.
        num_documents: Number of all documents.
    """

    words: Float[np.ndarray, "Q C"]
    cosines: Float[np.ndarray, "Q C"]
    documents: Int[np.ndarray, "Q C"]
    num_documents: int

    def hybrid(self, weight: float) -> Float[np.ndarray, "Q C"]:
        """Fuse the scores of the candidates; where there is none, the score is below all."""
        return np.where(self.documents >= 0, fused(self.words, self.cosines, weight), -np.inf)

    def ranks(self, right: Int[np.ndarray, " Q"], weight: float) -> Ranks:
        """Give the rank of each query's right document, from 1: the last of equal ones, last of all if no candidate.

        Args:
            right: Place of each query's right document among all documents.
            weight: Weight of the cosines.
        """
        scores, is_right = self.hybrid(weight), self.documents == right[:, None]
        own = np.where(is_right, scores, np.inf).min(axis=1, keepdims=True)
        return np.where(is_right.any(axis=1), (scores >= own).sum(axis=1), self.num_documents)


@dataclass(frozen=True, kw_only=True)
class TwoScores:
    """Scores of all documents by words and by meaning, some queries at a time.

    Args:
        words: BM25.
        cosines: Cosines.
    """

    words: Scores
    cosines: Scores

    def candidates(self) -> HybridCandidates:
        """Keep what hybrid search ranks; it is the same for every weight."""
        rows, columns = np.nonzero(_best_mask(self.words) | _best_mask(self.cosines))
        counts = np.bincount(rows, minlength=len(self.words))
        places = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        shape = len(self.words), int(counts.max(initial=0))
        words, cosines = np.zeros((2, *shape), dtype=self.words.dtype)
        documents = np.full(shape, -1)
        words[rows, places], cosines[rows, places] = self.words[rows, columns], self.cosines[rows, columns]
        documents[rows, places] = columns
        return HybridCandidates(words=words, cosines=cosines, documents=documents, num_documents=self.words.shape[1])

    def hybrid(self, weight: float) -> Scores:
        """Fuse the scores of both rankings' candidates; all other documents are ranked behind them."""
        found = self.candidates()
        scores = np.full(self.words.shape, _FAR)
        rows, places = np.nonzero(found.documents >= 0)
        scores[rows, found.documents[rows, places]] = found.hybrid(weight)[rows, places]
        return scores


def _best_mask(scores: Scores) -> Bool[np.ndarray, "Q P"]:
    """Mark the best documents of each query."""
    if scores.shape[1] <= NUM_CANDIDATES:
        return np.ones(scores.shape, dtype=np.bool_)
    return scores >= np.partition(scores, -NUM_CANDIDATES, axis=1)[:, -NUM_CANDIDATES, None]


def two_scores(words: PassageScorer, model: PassageScorer, questions: DocumentQuestions) -> Iterator[TwoScores]:
    """Score all documents by words and by meaning.

    Args:
        words: BM25.
        model: The model's cosines.
        questions: Queries and the document that answers each.
    """
    by_words = document_scores(words, questions)
    for cosines in document_scores(model, questions):
        rows = [next(by_words) for _ in range(len(cosines))]
        yield TwoScores(words=np.concatenate(rows), cosines=cosines)


def hybrid_ranks(found: Sequence[HybridCandidates], questions: DocumentQuestions, weight: float) -> Ranks:
    """Give the ranks of the right documents in hybrid search of a weight.

    Args:
        found: Candidates of all queries, in their order.
        questions: The queries.
        weight: Weight of the cosines.
    """
    right = questions.right_columns
    starts = np.cumsum([0, *(len(one.words) for one in found)])
    parts = [one.ranks(right[start:][: len(one.words)], weight) for one, start in zip(found, starts, strict=False)]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def gains_by_weight(found: Sequence[HybridCandidates], questions: DocumentQuestions) -> Float[np.ndarray, "W Q"]:
    """Give the nDCG@10 of each query, for each of `WEIGHTS`."""
    return np.stack([gains(hybrid_ranks(found, questions, weight)) for weight in WEIGHTS])


def best_weights(groups: Sequence[Sequence[Curve]]) -> list[float]:
    """Give the weights of the cosines whose nDCG@10 is within half a point of the best, in order.

    Curves are flat near their top, so the highest point alone is chance.

    Args:
        groups: Curves of each kind of evidence. Each group counts alike, and each curve within its group; groups
            without a curve do not count.

    Raises:
        ValueError: There is no curve.
    """
    means = [np.mean(group, axis=0) for group in groups if len(group)]
    if not means:
        raise ValueError("a weight must be chosen by one curve at least, got none")
    values = np.mean(means, axis=0)
    return [WEIGHTS[i] for i in np.flatnonzero(values >= values.max() - _TOLERANCE)]
