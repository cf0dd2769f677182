"""The weight of hybrid search, chosen by what it finds."""

import numpy as np
import pytest

from selfsent.evaluation.document_scores import DocumentQuestions
from selfsent.evaluation.fusion_weight import WEIGHTS, TwoScores, best_weights, gains_by_weight, hybrid_ranks
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
    meaning = [TwoScores(words=noise, cosines=knowing).candidates()]
    words = [TwoScores(words=knowing, cosines=noise).candidates()]
    by_meaning, by_words = (best_weights([[gains_by_weight(one, asked).mean(1)]])[0] for one in (meaning, words))
    assert by_words < 0.5 < by_meaning
    assert (hybrid_ranks(meaning, asked, by_meaning) == 1).all()


def test_two_halves_that_each_find_half_are_weighed_alike():
    words, cosines = np.full((40, 10), 0.5, dtype=np.float32), np.full((40, 10), 0.5, dtype=np.float32)
    words[:20, 0], cosines[20:, 0] = 1.0, 1.0
    words[:20, 1:] = cosines[20:, 1:] = 0.4
    asked = questions(40, 10)
    found = [TwoScores(words=words, cosines=cosines).candidates()]
    weights = best_weights([[gains_by_weight(found, asked).mean(axis=1)]])
    assert weights == list(WEIGHTS[1:-1])
    assert all((hybrid_ranks(found, asked, weight) == 1).all() for weight in weights)


@pytest.mark.parametrize("num_documents", [30, 400])
def test_ranks_among_candidates_are_those_among_all_documents(num_documents: int):
    random = np.random.default_rng(2)
    words = np.maximum(random.normal(size=(40, num_documents)), 0).astype(np.float32)
    cosines = random.uniform(-1, 1, size=(40, num_documents)).astype(np.float32)
    asked = questions(40, num_documents)
    both = TwoScores(words=words, cosines=cosines)
    found = [TwoScores(words=words[:15], cosines=cosines[:15]).candidates()]
    found.append(TwoScores(words=words[15:], cosines=cosines[15:]).candidates())
    for weight in (0.0, 0.3, 1.0):
        hybrid = both.hybrid(weight)
        assert hybrid_ranks(found, asked, weight).tolist() == (hybrid >= hybrid[:, :1]).sum(axis=1).tolist()


def test_groups_count_alike_and_all_weights_near_the_best_are_given():
    rising = np.linspace(0, 1, len(WEIGHTS))
    assert best_weights([[rising], [2 * rising[::-1]] * 3]) == [0.0]
    assert best_weights([[rising], [rising[::-1], rising[::-1]]]) == list(WEIGHTS)
    assert best_weights([[], [rising]]) == [1.0]
    assert best_weights([[rising / 200 + 0.5]]) == list(WEIGHTS)
    with pytest.raises(ValueError, match="one curve at least"):
        best_weights([[], []])
