"""BM25 against its formula."""

import numpy as np

from selfsent.evaluation.bm25 import BM25
from selfsent.evaluation.ranking import (
    Ranker,
)
from selfsent.words import Analyser

PLAIN = Analyser()


def test_bm25_ranks_by_shared_rare_words_and_leaves_out_what_shares_none():
    documents = ["the red engine", "the green apple", "the old engine of the ship", "nothing here"]
    first, second, third = BM25().rank(["engine ship", "APPLE!", "zebra"], documents, top_k=3)
    assert first.tolist() == [2, 0]
    assert second.tolist() == [1]
    assert third.tolist() == []
    assert isinstance(BM25(), Ranker)


def test_bm25_scores_equal_the_formula_with_the_constants_of_lucene():
    documents = [list("acxxxxx"), list("aayy"), list("c"), list("zzz")]
    lengths = np.array([7, 4, 1, 3])

    def order(k1: float, b: float) -> list[int]:
        # Lucene: idf = ln(1 + (N - n + 1/2) / (n + 1/2)); tf / (tf + k1 (1 - b + b length / mean length)).
        idf = np.log(1 + 2.5 / 2.5)  # of "a" and of "c": each is in two of the four documents
        norms = k1 * (1 - b + b * lengths / lengths.mean())
        counts = np.array([[document.count(word) for document in documents] for word in "ac"])
        scores = (idf * counts / (counts + norms)).sum(axis=0)
        return [number for number in np.argsort(-scores).tolist() if scores[number] > 0]

    texts = [" ".join(document) for document in documents]
    assert BM25(analyser=PLAIN).rank(["a c"], texts, top_k=4)[0].tolist() == order(1.2, 0.75) == [0, 2, 1]
    assert BM25(analyser=PLAIN, k1=1.5).rank(["a c"], texts, top_k=4)[0].tolist() == order(1.5, 0.75) == [2, 0, 1]
    assert BM25(analyser=PLAIN, b=0.4).rank(["a c"], texts, top_k=4)[0].tolist() == order(1.2, 0.4) == [0, 1, 2]


def test_bm25_finds_another_form_of_a_word_in_the_language_of_the_documents():
    documents = [
        "The committee approved the new budget today.",
        "Dogs were running along the beach in the morning.",
        "It rained in the hills all night.",
    ]
    assert BM25().rank(["a dog runs"], documents, top_k=3)[0].tolist() == [1]
    assert BM25(analyser=PLAIN).rank(["a dog runs"], documents, top_k=3)[0].tolist() == []


def test_stop_words_of_a_query_count_only_where_it_has_no_others():
    documents = ["the the the the and the of it", "a ship", "to be or not to be"]
    bm25 = BM25(analyser=Analyser("en"))
    assert bm25.rank(["the ship of the line"], documents, top_k=3)[0].tolist() == [1]
    assert bm25.rank(["to be or not to be"], documents, top_k=3)[0].tolist() == [2]


def test_bm25_finds_words_in_a_language_without_spaces():
    documents = ["委員会は今日新しい予算を承認した。", "犬たちは朝に浜辺を走っている。", "夜の間ずっと雨が降っていた。"]
    assert BM25().rank(["予算の承認", "雨"], documents, top_k=1)[0].tolist() == [0]
    assert BM25().rank(["予算の承認", "雨"], documents, top_k=1)[1].tolist() == [2]


def test_bm25_of_documents_without_words_ranks_nothing():
    assert [order.tolist() for order in BM25().rank(["a"], ["...", "!"], top_k=2)] == [[]]
