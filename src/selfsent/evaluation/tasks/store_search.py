"""Scoring the whole search of a store, as people use it: answers grouped by document, weak ones hidden."""

import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from selfsent.errors import UserError
from selfsent.evaluation.ranking import TOP_K, Order, score_orders
from selfsent.evaluation.report import Report
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.tasks.retrieval import Collection
from selfsent.search.semantic_search import SemanticSearch
from selfsent.search.store import Mode


def store_report(
    store: str | Path, collection: Collection, options: SuiteOptions, *, mode: Mode, device: str | None = None
) -> Report:
    """Score the search of a store on a collection of judged documents.

    Args:
        store: The store, or the folder of a ``build``. Its documents have the identifiers of the collection's.
        collection: Queries and judgements; its texts are not needed.
        options: Uses ``num_resamples`` and ``seed``.
        mode: How the store is searched.
        device: Where to put its model.

    Raises:
        UserError: The store or its model is missing, or a judged document is not in the store.
    """
    start = time.perf_counter()
    search = SemanticSearch(store, device=device, words_only=mode == "text")
    if not collection.documents:
        _require_documents(search, collection, str(store))
    position = {name: number for number, name in enumerate(collection.ids)}
    found = search.answers(collection.queries, TOP_K, mode, mark=False)
    documents = [[hit.document for hit in answers.hits] for answers in found]
    if not any(name in position for names in documents for name in names):
        raise UserError(
            f"the search of {store} finds none of the judged documents, whose names are such as"
            f" {collection.ids[0]!r}; index the corpus.jsonl that the judgements are of"
        )
    score = score_orders(
        [_order(names, position) for names in documents],
        collection.judgements,
        task=collection.name,
        num_resamples=options.num_resamples,
        seed=options.seed,
    )
    model = search.store.model
    return Report(
        model=str(store),
        scores=(score,),
        dimension=None if mode == "text" else model.dimension,
        model_hash=model.sha256,
        settings={"suites": ["qrels"], "data": "own labels", "mode": mode} | asdict(options),
        seconds={"qrels": time.perf_counter() - start},
    )


def _require_documents(search: SemanticSearch, collection: Collection, store: str) -> None:
    """Refuse judgements of documents that a store does not hold, where no corpus says which there are.

    Raises:
        UserError: It does not hold one of them.
    """
    known = search.store.document_names()
    missing = [name for name in collection.ids if name not in known] if known else []
    if missing:
        raise UserError(
            f"{store} does not hold {len(missing):,} of the {len(collection.ids):,} judged documents, such as"
            f" {missing[0]!r}; a corpus-id must be the `document` of an answer of `selfsent search --json`, such as"
            f" {min(known)!r}"
        )


def _order(names: list[str], position: dict[str, int]) -> Order:
    """Positions of documents in the collection; those that it does not hold have positions behind its end."""
    places = [position.get(name, len(position) + number) for number, name in enumerate(names)]
    return np.array(places, dtype=np.int64)
