"""The approximate index of a large store: built where no snapshot serves, and searched as widely as its recall needs.

Vectors are parted into cells (IVF); a search looks into the cells nearest to the query, its probes. As many are taken
as find 97 of 100 of the exact ten nearest, measured on queries when the index is built; the store records both.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from selfsent.search.exact_scan import nearest_rows, recall
from selfsent.search.lance_errors import require
from selfsent.search.store import Store
from selfsent.search.stored_search import StoredSearch

WANTED_RECALL = 0.97
"""Recall@10 that probes are chosen for: a margin above 0.95, since it is measured on a hundred queries."""

MAX_EXACT_ROWS = 100_000
"""Rows up to which a search compares the query with every one: about a tenth of a second of LanceDB."""

ROWS_A_CELL = 8192
"""Rows of a cell that a distributed build aims at, as LanceDB's own does."""

NUM_QUERIES = 100
TOP = 10
_FIRST_PROBES = 2

Floats = NDArray[np.float32]
DrawQueries = Callable[[], Floats]


def has_index(store: Store) -> bool:
    """Whether a store has an approximate index."""
    return any("vector" in index.columns for index in store.table.list_indices())


def build_index(store: Store) -> None:
    """Divide the vectors of a store into cells of about 8,000 rows; LanceDB would join smaller ones later."""
    store.table.create_index("vector", config=require("lancedb.index").IvfFlat(distance_type="cosine"))


def drop_index(store: Store) -> None:
    """Remove the approximate index."""
    for index in store.table.list_indices():
        if "vector" in index.columns:
            store.table.drop_index(index.name)


def measured(store: Store, queries: Floats) -> StoredSearch:
    """Choose the number of probes, and record it with the recall it gives.

    Args:
        store: A store with an approximate index.
        queries: Vectors to search for, ``(Q, D)``; those of zeros are left out.

    Returns:
        The store's record with ``probes``, ``index_recall`` and ``indexed_rows``.
    """
    num_rows = len(store)
    most = max(_FIRST_PROBES, math.isqrt(num_rows))  # more than there are cells
    queries = queries[np.linalg.norm(queries, axis=1) > 0]
    exact = [cosines for _, cosines in nearest_rows(store.vector_blocks(), queries, TOP)]
    probes, found = _FIRST_PROBES, 0.0
    while True:
        probes = min(probes, most)
        found = recall((_found(store, query, probes) for query in queries), exact)
        if found >= WANTED_RECALL or probes == most:
            return replace(store.record, probes=probes, index_recall=found, indexed_rows=num_rows)
        probes += max(1, probes // 2)


def _found(store: Store, query: Floats, probes: int) -> Floats:
    """The cosines of what the index finds."""
    search = store.table.search(query, query_type="vector", vector_column_name="vector").distance_type("cosine")
    rows = search.nprobes(probes).limit(TOP).select(["id", "_distance"]).to_arrow()
    return 1 - rows.column("_distance").to_numpy()
