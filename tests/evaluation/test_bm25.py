"""BM25 against its formula."""

import numpy as np

from selfsent.evaluation.bm25 import BM25
from selfsent.evaluation.ranking import (
    Ranker,
)


def test_bm25_ranks_by_shared_rare_words_and_leaves_out_what_shares_none():
    documents = ["the red engine", "the green apple", "the old engine of the ship", "nothing here"]
    first, second, third = BM25().rank(["engine ship", "APPLE!", "zebra"], documents, top_k=3)
    assert first.tolist() == [2, 0]
    assert second.tolist() == [1]
    assert third.tolist() == []
    assert isinstance(BM25(), Ranker)


def test_bm25_scores_equal_the_formula():
    documents = ["a b", "a c c", "d"]
    # Lucene: idf = ln(1 + (N - n + 1/2) / (n + 1/2)); tf / (tf + k1 (1 - b + b length / mean length)).
    idf = {"a": np.log(1 + 1.5 / 2.5), "c": np.log(1 + 2.5 / 1.5)}
    norm = [1.5 * (0.25 + 0.75 * length / 2) for length in (2, 3, 1)]
    scores = [idf["a"] / (1 + norm[0]), idf["a"] / (1 + norm[1]) + idf["c"] * 2 / (2 + norm[1]), 0.0]
    expected = [i for i in np.argsort(scores)[::-1] if scores[i] > 0]
    assert BM25().rank(["a c"], documents, top_k=3)[0].tolist() == expected


def test_bm25_of_documents_without_words_ranks_nothing():
    assert [order.tolist() for order in BM25().rank(["a"], ["...", "!"], top_k=2)] == [[]]
