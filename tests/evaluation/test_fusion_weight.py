"""The weight of hybrid search, chosen by what it finds."""

import numpy as np
import pytest

from selfsent.evaluation.document_scores import DocumentQuestions
from selfsent.evaluation.fusion_weight import TwoScores, choose_weight, hybrid_ranks
from selfsent.search.fusion import fused


def questions(num_queries: int, num_documents: int) -> DocumentQuestions:
    return DocumentQuestions(
        name="lead",
        queries=["?"] * num_queries,
        right=np.zeros(num_queries, dtype=np.int64),
        passages=[str(number) for number in range(num_documents)],
        documents=np.arange(num_documents),
    )


def test_scores_are_divided_by_the_highest_of_their_query_and_weighed():
    words, cosines = np.array([[4.0, 2.0, 0.0]]), np.array([[0.2, 0.4, -0.4]])
    assert fused(words, cosines, 0.25)[0].tolist() == pytest.approx([0.875, 0.625, -0.25])
    assert fused(np.zeros((1, 3)), cosines, 0.5)[0].tolist() == pytest.approx([0.25, 0.5, -0.5])


def test_words_alone_and_meaning_alone_order_as_their_parts_do():
    random = np.random.default_rng(0)
    words, cosines = random.random((5, 20)), random.random((5, 20))
    assert (np.argsort(fused(words, cosines, 0.0)) == np.argsort(words)).all()
    assert (np.argsort(fused(words, cosines, 1.0)) == np.argsort(cosines)).all()


def test_documents_that_neither_ranking_names_stand_behind_all_that_one_names():
    words = np.zeros((1, 300), dtype=np.float32)
    words[0, :100] = np.linspace(2, 1, 100)
    cosines = np.linspace(-1, 1, 300, dtype=np.float32)[None, :]
    hybrid = TwoScores(words=words, cosines=cosines).hybrid(0.5)[0]
    assert hybrid[100:200].max() < min(hybrid[:100].min(), hybrid[200:].min())


def test_the_chosen_weight_leans_on_the_part_that_finds():
    random = np.random.default_rng(1)
    noise, knowing = random.random((50, 30)).astype(np.float32), random.random((50, 30)).astype(np.float32)
    knowing[:, 0] = 1.1
    asked = questions(50, 30)
    by_meaning = choose_weight([(asked, [TwoScores(words=noise, cosines=knowing)])])
    by_words = choose_weight([(asked, [TwoScores(words=knowing, cosines=noise)])])
    assert by_words < 0.5 < by_meaning
    assert (hybrid_ranks([TwoScores(words=noise, cosines=knowing)], asked, by_meaning) == 1).all()


def test_two_halves_that_each_find_half_are_weighed_alike():
    words, cosines = np.full((40, 10), 0.5, dtype=np.float32), np.full((40, 10), 0.5, dtype=np.float32)
    words[:20, 0], cosines[20:, 0] = 1.0, 1.0
    words[:20, 1:] = cosines[20:, 1:] = 0.4
    asked = questions(40, 10)
    weight = choose_weight([(asked, [TwoScores(words=words, cosines=cosines)])])
    assert 0.05 <= weight <= 0.95
    assert (hybrid_ranks([TwoScores(words=words, cosines=cosines)], asked, weight) == 1).all()
