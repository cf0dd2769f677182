"""Recall@10 of a store with int8 vectors: the share of the ten nearest passages by float32 that it finds."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from selfsent.search.approximate_index import TOP
from selfsent.search.exact_scan import nearest_rows, recall
from selfsent.search.store import Store

NUM_CANDIDATES = 30
"""Nearest passages in int8 that are encoded anew, among which the ten nearest in float32 are looked for. A vector in
int8 is off by less than half of a 127th of its largest value, so that what is tenth in float32 is not far behind."""

Encode = Callable[[Sequence[str]], NDArray[np.float32]]


def int8_recall(store: Store, queries: NDArray[np.float32], encode_documents: Encode) -> float:
    """Measure recall@10 against float32.

    Args:
        store: A store of int8 vectors.
        queries: Vectors to search for; those of zeros are left out.
        encode_documents: Embeds passages as they were embedded for the store.

    Returns:
        The mean share, in 0 to 1.
    """
    queries = queries[np.linalg.norm(queries, axis=1) > 0]
    nearest = [numbers for numbers, _ in nearest_rows(store.vector_blocks(), queries, NUM_CANDIDATES)]
    numbers = sorted({int(number) for found in nearest for number in found})
    if not numbers:
        return 1.0
    rows = store.table.take_row_ids(numbers).with_row_id().select(["title", "text"]).to_arrow().to_pylist()
    texts = {row["_rowid"]: f"{row['title'] or ''} {row['text']}".strip() for row in rows}
    vectors = encode_documents([texts[number] for number in numbers])
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-30))
    place = {number: row for row, number in enumerate(numbers)}
    units = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    cosines = [
        vectors[[place[int(number)] for number in found]] @ query for query, found in zip(units, nearest, strict=True)
    ]
    return recall((one[:TOP] for one in cosines), (np.sort(one)[::-1][:TOP] for one in cosines))
