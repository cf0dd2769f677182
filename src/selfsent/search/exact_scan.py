"""Cosines of queries with every vector, block by block, in float32 or int8: what a search without an index compares."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_ROWS_AT_ONCE = 512
"""Rows of int8 that are made float32 together: they stay in the cache, four times as fast as 8,192 (measured)."""

ROUNDING = 4e-6
"""Cosines of float32 that are nearer to each other than this count as equal."""

_LEAST_NORM = np.float32(1e-30)

Vectors = NDArray[np.float32] | NDArray[np.int8]
Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]


def products(vectors: Vectors, query: Floats) -> Floats:
    """Multiply rows with a query; those of int8 are made float32 a block at a time.

    Args:
        vectors: ``(N, D)``; may be mapped into memory.
        query: ``(D,)``.
    """
    if vectors.dtype != np.int8:
        return np.asarray(vectors @ query, dtype=np.float32)
    found = np.empty(len(vectors), dtype=np.float32)
    room = np.empty((_ROWS_AT_ONCE, vectors.shape[1]), dtype=np.float32)
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        block = vectors[start : start + _ROWS_AT_ONCE]
        wide = room[: len(block)]
        np.copyto(wide, block)
        np.matmul(wide, query, out=found[start : start + len(block)])
    return found


def nearest_rows(
    blocks: Iterable[tuple[Numbers, Vectors]], queries: Floats, limit: int
) -> list[tuple[Numbers, Floats]]:
    """Find the rows of the highest cosines with each query, in one pass over all vectors.

    Args:
        blocks: Numbers of rows, ``(n,)``, and their vectors, ``(n, D)``.
        queries: ``(Q, D)``, none of zeros.
        limit: How many rows a query at most.

    Returns:
        For each query the numbers of the rows, best first, and their cosines. Rows of zeros have no direction and are
        not found. Of equal cosines the row of the lower number comes first.
    """
    units = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    best: list[tuple[Numbers, Floats]] = [(np.zeros(0, np.int64), np.zeros(0, np.float32)) for _ in queries]
    for numbers, vectors in blocks:
        values = vectors.astype(np.float32, copy=False)
        norms = np.linalg.norm(values, axis=1)
        has_direction = norms > 0
        cosines = (values @ units.T) / np.maximum(norms, _LEAST_NORM)[:, None]
        kept_numbers = numbers[has_direction]
        for place, (known, known_cosines) in enumerate(best):
            ids = np.concatenate([known, kept_numbers])
            scores = np.concatenate([known_cosines, cosines[has_direction, place]])
            if len(ids) > limit:
                least = np.partition(scores, len(scores) - limit)[len(scores) - limit]
                ids, scores = ids[scores >= least], scores[scores >= least]
            order = np.lexsort((ids, -scores))[:limit]
            best[place] = ids[order], scores[order]
    return best


def recall(found: Iterable[Floats], exact: Iterable[Floats]) -> float:
    """Give the share of the exact answers that were found, the mean over queries; 1 where there are none.

    An answer counts by its cosine, not by its number: of equal texts, either may be found.

    Args:
        found: For each query the exact cosines of what was found.
        exact: For each query the cosines of its nearest rows, best first.
    """
    shares = [
        min(1.0, float((one >= best[-1] - ROUNDING).sum()) / len(best))
        for one, best in zip(found, exact, strict=True)
        if len(best)
    ]
    return float(np.mean(shares)) if shares else 1.0
