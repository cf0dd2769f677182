"""Ranking measures against pytrec_eval and scikit-learn, on scores with ties."""

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from selfsent.errors import UserError
from selfsent.evaluation.ranking import (
    average_precision,
    best,
    ndcg,
    nearest,
    recall,
    reciprocal_rank,
    score_orders,
)

pytrec_eval = pytest.importorskip("pytrec_eval")


def tied_scores(seed: int, num_documents: int = 40) -> tuple[np.ndarray, dict[int, float]]:
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, 8, num_documents) / 8
    judged = generator.choice(num_documents, 12, replace=False)
    return scores, {int(document): float(generator.integers(0, 4)) for document in judged}


def by_trec_eval(scores: np.ndarray, judgements: dict[int, float]) -> dict[str, float]:
    # trec_eval ranks equal scores by falling identifier, we by rising position: number backwards.
    name = {position: f"{len(scores) - position:05d}" for position in range(len(scores))}
    measures = {"ndcg_cut.10", "recall.10,100", "map", "recip_rank"}
    evaluator = pytrec_eval.RelevanceEvaluator(
        {"q": {name[document]: int(relevance) for document, relevance in judgements.items()}}, measures
    )
    return evaluator.evaluate({"q": {name[d]: float(score) for d, score in enumerate(scores)}})["q"]


@pytest.mark.parametrize("seed", range(20))
def test_measures_equal_trec_eval_on_scores_with_ties(seed):
    scores, judgements = tied_scores(seed)
    order, expected = best(scores, top_k=100), by_trec_eval(scores, judgements)
    assert ndcg(order, judgements) == pytest.approx(expected["ndcg_cut_10"])
    assert recall(order, judgements, cutoff=10) == pytest.approx(expected["recall_10"])
    assert recall(order, judgements) == pytest.approx(expected["recall_100"])
    assert average_precision(order, judgements) == pytest.approx(expected["map"])
    assert reciprocal_rank(order, judgements, cutoff=len(scores)) == pytest.approx(expected["recip_rank"])


def test_ndcg_equals_scikit_learn_without_ties():
    scores = np.random.default_rng(0).permutation(30).astype(float)
    gains = np.random.default_rng(1).integers(0, 4, 30)
    ours = ndcg(best(scores, top_k=30), {i: float(gain) for i, gain in enumerate(gains)})
    assert ours == pytest.approx(ndcg_score([gains], [scores], k=10))


def test_measures_of_a_worked_example():
    order, judgements = np.array([7, 3, 9, 5]), {3: 1.0, 5: 1.0, 8: 1.0}
    assert reciprocal_rank(order, judgements) == 1 / 2
    assert average_precision(order, judgements) == pytest.approx((1 / 2 + 2 / 4) / 3)
    assert recall(order, judgements) == pytest.approx(2 / 3)
    ideal = 1 + 1 / np.log2(3) + 1 / np.log2(4)
    assert ndcg(order, judgements) == pytest.approx((1 / np.log2(3) + 1 / np.log2(5)) / ideal)


def test_a_query_without_relevant_documents_scores_nothing():
    order = np.array([1, 2])
    assert ndcg(order, {1: 0.0}) == recall(order, {}) == average_precision(order, {1: -1.0}) == 0.0


def test_a_relevant_document_below_the_cutoff_is_not_seen():
    assert reciprocal_rank(np.arange(20), {10: 1.0}) == 0.0
    assert reciprocal_rank(np.arange(20), {9: 1.0}) == 1 / 10


@pytest.mark.parametrize("top_k", [1, 3, 10, 40, 100])
def test_the_best_are_those_of_a_full_stable_sort(top_k):
    scores, _ = tied_scores(5)
    assert best(scores, top_k=top_k).tolist() == np.argsort(-scores, kind="stable")[:top_k].tolist()


def test_the_nearest_are_the_nearest_by_cosine_whatever_the_lengths(monkeypatch):
    monkeypatch.setattr("selfsent.evaluation.ranking._CELLS_AT_ONCE", 60)
    generator = np.random.default_rng(0)
    queries, documents = generator.normal(size=(7, 5)), generator.normal(size=(30, 5)) * generator.random((30, 1)) * 9
    cosine = (queries @ documents.T) / np.linalg.norm(documents, axis=1)
    expected = np.argsort(-cosine, axis=1, kind="stable")[:, :4]
    assert np.array_equal(np.stack(nearest(queries, documents, top_k=4)), expected)


def test_the_score_of_orders_is_the_mean_over_queries_with_its_interval():
    documents = np.eye(4)
    queries = np.array([[1.0, 0.1, 0, 0], [0, 0.2, 1.0, 0]])
    score = score_orders(nearest(queries, documents), [{0: 1.0}, {1: 1.0}], task="toy")
    assert score.value == pytest.approx((1 + 1 / np.log2(3)) / 2)
    assert score.also["mrr@10"] == pytest.approx(0.75)
    assert score.also["recall@10"] == 1.0
    assert score.num_items == 2
    assert score.ci95[0] <= score.value <= score.ci95[1]


def test_no_queries_is_an_error():
    with pytest.raises(UserError, match="no query"):
        score_orders([], [], task="empty")
