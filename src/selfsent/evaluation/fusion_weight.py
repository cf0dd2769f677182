"""Choose the weight of cosines and BM25 in hybrid search, without labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool

from selfsent.evaluation.document_scores import (
    DocumentQuestions,
    PassageScorer,
    Ranks,
    Scores,
    document_scores,
    gains,
    ranks_of,
)
from selfsent.search.fusion import NUM_CANDIDATES, fused

WEIGHTS = tuple(round(0.05 * step, 2) for step in range(21))
_FAR = np.float32(-1)


@dataclass(frozen=True, kw_only=True)
class TwoScores:
    """Scores of all documents by words and by meaning, some queries at a time.

    Args:
        words: BM25.
        cosines: Cosines.
    """

    words: Scores
    cosines: Scores

    def hybrid(self, weight: float) -> Scores:
        """Fuse the scores of both rankings' candidates; all other documents are ranked behind them."""
        is_candidate, by_words, by_meaning = self._candidates
        return np.where(is_candidate, fused(by_words, by_meaning, weight), _FAR)

    @cached_property
    def _candidates(self) -> tuple[Bool[np.ndarray, "Q P"], Scores, Scores]:
        """Which documents are candidates, and their scores, 0 for the others: the same for every weight."""
        is_candidate = _best_mask(self.words) | _best_mask(self.cosines)
        return is_candidate, np.where(is_candidate, self.words, 0), np.where(is_candidate, self.cosines, 0)


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


def hybrid_ranks(scores: Sequence[TwoScores], questions: DocumentQuestions, weight: float) -> Ranks:
    """Give the ranks of the right documents in hybrid search of a weight."""
    return ranks_of((one.hybrid(weight) for one in scores), questions)


def choose_weight(scored: Sequence[tuple[DocumentQuestions, Sequence[TwoScores]]]) -> float:
    """Choose the weight of the cosines: the best nDCG@10, each kind of question counting alike.

    Of weights that are as good, the middle one is taken.

    Args:
        scored: Questions of parts that nothing was learned from (`AskingDocuments`), and their scores.
    """
    values = np.array(
        [
            np.mean([gains(hybrid_ranks(scores, questions, weight)).mean() for questions, scores in scored])
            for weight in WEIGHTS
        ]
    )
    best = np.flatnonzero(values >= values.max() - 1e-9)
    return WEIGHTS[int(best[len(best) // 2])]
