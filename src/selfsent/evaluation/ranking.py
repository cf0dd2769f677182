"""Rankings of documents: finding the nearest exactly, and measuring how good an order is.

Documents of equal score are ranked in the order they are given in, and never at random. ``read_collection`` gives them
in falling order of their identifiers, which makes every figure the one that trec_eval computes.

Source: trec_eval's measures ``ndcg_cut``, ``recall``, ``recip_rank`` and ``map``, here with cut-offs.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from selfsent.errors import UserError
from selfsent.evaluation.metrics import METRICS
from selfsent.evaluation.score import Score
from selfsent.evaluation.sentence_vectors import Vectors
from selfsent.evaluation.statistics import Mean, bootstrap_interval
from selfsent.printed_text import progress_bar

Order = NDArray[np.int64]
Judgements = Mapping[int, float]
TOP_K = 100
_CELLS_AT_ONCE = 20_000_000


@runtime_checkable
class Ranker(Protocol):
    """What orders documents without embedding them, such as BM25; retrieval and reranking score it like a model."""

    def rank(self, queries: Sequence[str], documents: Sequence[str], *, top_k: int) -> list[Order]:
        """Give, for each query, the positions of the best documents, best first."""
        ...


def best(scores: Float[np.ndarray, "N"], *, top_k: int) -> Order:
    """Give the positions of the ``top_k`` highest scores, highest first; of equal scores the earlier position first."""
    candidates = np.arange(len(scores))
    if top_k < len(scores):
        candidates = np.flatnonzero(scores >= np.partition(scores, -top_k)[-top_k])
    return candidates[np.argsort(-scores[candidates], kind="stable")[:top_k]]


def nearest(query_vectors: Vectors, document_vectors: Vectors, *, top_k: int = TOP_K) -> list[Order]:
    """Find the documents nearest to each query by cosine, exactly, some queries at a time.

    Args:
        query_vectors: One row a query.
        document_vectors: One row a document.
        top_k: How many documents a query gets.

    Returns:
        Positions of documents, best first, one array a query.
    """
    queries, documents = _unit(query_vectors), _unit(document_vectors)
    at_once = max(1, _CELLS_AT_ONCE // max(1, len(documents)))
    orders: list[Order] = []
    with progress_bar(total=len(queries), what="nearest documents", unit="query") as progress:
        for start in range(0, len(queries), at_once):
            similarities = queries[start : start + at_once] @ documents.T
            orders += [best(row, top_k=top_k) for row in similarities]
            progress.update(len(similarities))
    return orders


def _unit(vectors: Vectors) -> Vectors:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1)


def ndcg(order: Order, judgements: Judgements, *, cutoff: int = 10) -> float:
    """Measure the normalised discounted cumulative gain; the gain is the judgement itself, as in trec_eval.

    Args:
        order: Documents, best first.
        judgements: Relevance of the judged documents; the others, and those judged 0 or less, gain nothing.
        cutoff: How far down the order counts.

    Returns:
        A fraction; 0 where no document is relevant.
    """
    discounts = 1 / np.log2(np.arange(2, cutoff + 2))
    gains = np.array([max(0.0, judgements.get(int(document), 0.0)) for document in order[:cutoff]])
    ideal = np.sort([gain for gain in judgements.values() if gain > 0])[::-1][:cutoff]
    return float(gains @ discounts[: len(gains)] / (ideal @ discounts[: len(ideal)])) if len(ideal) else 0.0


def recall(order: Order, judgements: Judgements, *, cutoff: int = TOP_K) -> float:
    """Measure the share of the relevant documents among the first ``cutoff``; 0 where none is relevant."""
    num_relevant = sum(relevance > 0 for relevance in judgements.values())
    return float(_relevant(order[:cutoff], judgements).sum() / num_relevant) if num_relevant else 0.0


def reciprocal_rank(order: Order, judgements: Judgements, *, cutoff: int = 10) -> float:
    """Give one over the rank of the first relevant document; 0 where none is among the first ``cutoff``."""
    hits = np.flatnonzero(_relevant(order[:cutoff], judgements))
    return float(1 / (hits[0] + 1)) if len(hits) else 0.0


def average_precision(order: Order, judgements: Judgements) -> float:
    """Average the precision at the rank of each relevant document, one not in the order counting 0."""
    num_relevant = sum(relevance > 0 for relevance in judgements.values())
    ranks = np.flatnonzero(_relevant(order, judgements)) + 1
    return float((np.arange(1, len(ranks) + 1) / ranks).sum() / num_relevant) if num_relevant else 0.0


def _relevant(order: Order, judgements: Judgements) -> NDArray[np.bool_]:
    return np.array([judgements.get(int(document), 0.0) > 0 for document in order], dtype=np.bool_)


def score_orders(
    orders: Sequence[Order], judgements: Sequence[Judgements], *, task: str, num_resamples: int = 1000, seed: int = 0
) -> Score:
    """Score the orders a system gives: nDCG@10, with recall and MRR beside it, averaged over queries.

    Args:
        orders: The best documents of each query, best first, 100 of them for recall@100.
        judgements: Relevance of documents to each query.
        task: Name of the task.
        num_resamples: Number of bootstrap resamples.
        seed: Random seed of the resampling.

    Raises:
        UserError: There are no queries.
    """
    if not orders:
        raise UserError(f"{task}: no query to score; give at least one query with a judged document")
    judged = list(zip(orders, judgements, strict=True))
    items = np.array([[ndcg(order, relevant)] for order, relevant in judged])
    return Score(
        task=task,
        metric=METRICS["ndcg@10"],
        value=float(items.mean()),
        ci95=bootstrap_interval(items, Mean(), num_resamples=num_resamples, seed=seed),
        num_items=len(items),
        also={
            "recall@10": float(np.mean([recall(order, relevant, cutoff=10) for order, relevant in judged])),
            "recall@100": float(np.mean([recall(order, relevant) for order, relevant in judged])),
            "mrr@10": float(np.mean([reciprocal_rank(order, relevant) for order, relevant in judged])),
        },
        items=items,
    )
