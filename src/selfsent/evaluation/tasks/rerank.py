"""The suite ``rerank``: putting a short list of candidates into order for each query.

Two kinds of tasks. Ready lists, ``rerank/{name}/{split}.jsonl`` with ``query, positive, negative`` (a text and two
lists of texts), as AskUbuntu and SciDocs come; and ``{name}-bm25``, the best 100 documents that BM25 finds in each
collection under ``retrieval/``.

Protocol: cosine; mean average precision over queries, a relevant document that is not a candidate counting 0; of
candidates equally similar, those that are not relevant come first in ready lists, so that a tie never helps. Queries
without a positive are left out.

Source: Lei et al. 2016 (AskUbuntu); Cohan et al. 2020 (SciDocs); the layout is the one of MTEB.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from selfsent.data.compression import format_suffixes
from selfsent.errors import UserError
from selfsent.evaluation.bm25 import BM25
from selfsent.evaluation.metrics import METRICS
from selfsent.evaluation.ranking import (
    TOP_K,
    Judgements,
    Order,
    Ranker,
    average_precision,
    nearest,
    recall,
    reciprocal_rank,
)
from selfsent.evaluation.records import HubData, Record, read_records
from selfsent.evaluation.score import Score
from selfsent.evaluation.sentence_vectors import Encoder, encode_distinct
from selfsent.evaluation.statistics import Mean, bootstrap_interval
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.tasks.retrieval import Collection, collection_folders, read_collection

_COLUMNS = ("query", "positive", "negative")
_HUB = {
    "AskUbuntu": HubData(
        name="mteb/askubuntudupquestions-reranking", revision="2000358ca161889fa9c082cb41daa8dcfb161a54"
    ),
    "SciDocs": HubData(name="mteb/scidocs-reranking", revision="d3c5e1fc0b855ab6097bf1cda04dd73947d7caab"),
}


@dataclass(frozen=True, kw_only=True)
class Shortlists:
    """Queries with the candidates to put into order.

    Args:
        name: Name of the task.
        queries: The queries.
        documents: All candidates of all queries, each once.
        candidates: For each query the positions of its candidates in ``documents``; equals keep this order.
        judgements: For each query the relevance of documents.
        also: Further figures beside the score, the same for every model.
    """

    name: str
    queries: Sequence[str]
    documents: Sequence[str]
    candidates: Sequence[Order]
    judgements: Sequence[Judgements]
    also: Mapping[str, float] = field(default_factory=dict[str, float])


def evaluate(model: Encoder | Ranker, data_dir: Path | None, options: SuiteOptions) -> list[Score]:
    """Score a model, or a ranker such as BM25, on all lists under ``rerank/`` and on BM25's for ``retrieval/``.

    Args:
        model: The model.
        data_dir: Folder with ``rerank/`` or ``retrieval/`` or both; ``None`` for AskUbuntu and SciDocs from the hub.
        options: Uses ``split``, ``batch_size``, ``num_resamples``, ``seed``.

    Returns:
        Mean average precision of each; MRR@10 beside it, and for BM25's candidates what BM25 itself reaches.

    Raises:
        UserError: There are no lists, a file is wrong, or the embeddings are.
    """
    tasks = _from_hub(options.split) if data_dir is None else _from_folder(data_dir, options.split)
    return [score_shortlists(model, task, options) for task in tasks]


def score_shortlists(model: Encoder | Ranker, task: Shortlists, options: SuiteOptions) -> Score:
    """Score a model or a ranker on one task.

    Raises:
        UserError: No query has a positive candidate, or the embeddings are NaN or constant.
    """
    if not task.queries:
        raise UserError(f"{task.name}: no query has a relevant document; nothing can be scored")
    orders = _ranked(model, task) if isinstance(model, Ranker) else _by_similarity(model, task, options)
    judged = list(zip(orders, task.judgements, strict=True))
    items = np.array([[average_precision(order, relevant)] for order, relevant in judged])
    return Score(
        task=task.name,
        metric=METRICS["map"],
        value=float(items.mean()),
        ci95=bootstrap_interval(items, Mean(), num_resamples=options.num_resamples, seed=options.seed),
        num_items=len(items),
        also={"mrr@10": float(np.mean([reciprocal_rank(order, relevant) for order, relevant in judged]))}
        | dict(task.also),
        items=items,
    )


def _by_similarity(model: Encoder, task: Shortlists, options: SuiteOptions) -> list[Order]:
    batch_size = options.batch_size
    documents = encode_distinct(
        model, task.documents, role="document", batch_size=batch_size, what=f"{task.name} candidates"
    )
    queries = encode_distinct(model, task.queries, role="query", batch_size=batch_size, what=f"{task.name} queries")
    orders: list[Order] = []
    for query, candidates in zip(task.queries, task.candidates, strict=True):
        texts = [task.documents[int(position)] for position in candidates]
        orders += [candidates[order] for order in nearest(queries.of([query]), documents.of(texts), top_k=len(texts))]
    return orders


def _ranked(ranker: Ranker, task: Shortlists) -> list[Order]:
    """The candidates in the ranker's order; those it does not rank come last."""
    orders: list[Order] = []
    ranked = ranker.rank(task.queries, task.documents, top_k=len(task.documents))
    for order, candidates in zip(ranked, task.candidates, strict=True):
        chosen = order[np.isin(order, candidates)]
        orders.append(np.concatenate([chosen, candidates[~np.isin(candidates, chosen)]]))
    return orders


def _from_folder(data_dir: Path, split: str) -> list[Shortlists]:
    root = data_dir / "rerank"
    files = sorted(root.glob(f"*/{split}.jsonl*")) if root.is_dir() else []
    tasks = [
        ready_lists(file.parent.name, read_records(file, columns=_COLUMNS))
        for file in files
        if format_suffixes(file)[0] == ".jsonl"
    ]
    if (data_dir / "retrieval").is_dir():
        tasks += [bm25_lists(read_collection(folder, split)) for folder in collection_folders(data_dir)]
    if not tasks:
        raise UserError(
            f"nothing to rerank in {data_dir}; it must hold rerank/NAME/{split}.jsonl with the columns "
            f"{', '.join(_COLUMNS)}, or a collection retrieval/NAME"
        )
    return tasks


def _from_hub(split: str) -> list[Shortlists]:
    if split != "test":
        raise UserError(f"the hub has no {split} split to rerank; name a folder with --data-dir")
    return [
        ready_lists(name, hub.records(columns=_COLUMNS, instead=f"rerank/{name}/{split}.jsonl"))
        for name, hub in _HUB.items()
    ]


def ready_lists(name: str, records: Sequence[Record]) -> Shortlists:
    """Make shortlists of rows of ``query``, ``positive`` and ``negative``.

    Args:
        name: Name of the task.
        records: The rows. A text that is both positive and negative is positive.

    Raises:
        UserError: A cell is not a text or a list of texts; file and line are named.
    """
    position: dict[str, int] = {}
    queries: list[str] = []
    candidates: list[Order] = []
    judgements: list[Judgements] = []
    for record in records:
        positives = list(dict.fromkeys(record.texts("positive")))
        if not positives:
            continue
        negatives = [text for text in dict.fromkeys(record.texts("negative")) if text not in positives]
        listed = [position.setdefault(text, len(position)) for text in (*negatives, *positives)]
        queries.append(record.text("query"))
        candidates.append(np.array(listed, dtype=np.int64))
        judgements.append(dict.fromkeys(listed[len(negatives) :], 1.0))
    return Shortlists(
        name=name, queries=queries, documents=list(position), candidates=candidates, judgements=judgements
    )


def bm25_lists(collection: Collection, *, top_k: int = TOP_K) -> Shortlists:
    """Let BM25 draw the candidates of each query of a collection.

    Args:
        collection: Documents and queries.
        top_k: How many candidates a query gets at most.

    Returns:
        The shortlists, their order hidden from the reranker; with BM25's own score and the share of the
        relevant documents that are candidates, which is what no reranker can exceed.
    """
    ranked = BM25().rank(collection.queries, collection.documents, top_k=top_k)
    judged = list(zip(ranked, collection.judgements, strict=True))
    return Shortlists(
        name=f"{collection.name}-bm25",
        queries=collection.queries,
        documents=collection.documents,
        candidates=[np.sort(order) for order in ranked],
        judgements=collection.judgements,
        also={
            "map_bm25": float(np.mean([average_precision(order, relevant) for order, relevant in judged])),
            "recall_of_candidates": float(
                np.mean([recall(order, relevant, cutoff=top_k) for order, relevant in judged])
            ),
        },
    )
