"""A map of a corpus in two dimensions: passages with near vectors stand near each other, in named groups."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from selfsent.document_report.group_names import group_names

MAX_TEXT = 160
"""Characters of a passage that the map keeps."""

_FEWEST_GROUPS, _MOST_GROUPS = 4, 12
_FEWEST_FOR_NEIGHBOURS = 12
"""With fewer points a projection shows as much as t-SNE, which is unstable there."""
_PERPLEXITY = 30.0
_INNER_DIMENSION = 50
_ITERATIONS = 400
"""2,000 points take 3.3 s of one core and keep neighbours as 500 do (trustworthiness 0.958, 0.959; 300: 0.942)."""
_SAME_PLACE = 1e-4
_GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
_DECIMALS = 4


def corpus_map(
    vectors: Float[NDArray[np.floating[Any]], "N D"],
    texts: Sequence[str],
    titles: Sequence[str],
    documents: Sequence[str],
    *,
    seed: int,
    max_points: int = 2000,
) -> dict[str, Any]:
    """Lay passages out in two dimensions, and name the groups they form.

    The layout is t-SNE on the first 50 principal components, started from the first two. It runs on one thread, since
    more would add in another order each time: the same seed gives the same map.

    Source: van der Maaten and Hinton 2008; the start from principal components: Kobak and Berens 2019.

    Args:
        vectors: One a passage, of any length; zeros are allowed.
        texts: The passages.
        titles: Titles of their documents; may be empty.
        documents: Ids of their documents.
        seed: Seed of the sample, the groups and the layout.
        max_points: Largest number of passages on the map; of more, so many are drawn at random.

    Returns:
        JSON values: ``points`` (``x`` and ``y`` in 0 to 1, ``title``, ``document``, the first characters of ``text``,
        number of the ``group``), ``groups`` (``name``, ``size`` in points; the largest first) and ``passages``, of how
        many passages the points were drawn.
    """
    num_passages = len(texts)
    chosen = _sample(num_passages, max_points, seed)
    unit = _unit(np.asarray(vectors, dtype=np.float32)[chosen])
    with threadpool_limits(limits=1):
        group_of = _groups(unit, seed)
        places = _layout(unit, seed)
    shown_texts, shown_titles = [texts[row] for row in chosen], [titles[row] for row in chosen]
    shown_documents = [documents[row] for row in chosen]
    names = group_names(shown_texts, shown_titles, shown_documents, group_of, unit)
    points = [
        {"x": float(x), "y": float(y), "title": title, "document": document, "text": text[:MAX_TEXT], "group": int(at)}
        for (x, y), title, document, text, at in zip(
            places.round(_DECIMALS), shown_titles, shown_documents, shown_texts, group_of, strict=True
        )
    ]
    sizes = np.bincount(group_of, minlength=len(names))
    groups = [{"name": name, "size": int(size)} for name, size in zip(names, sizes, strict=True)]
    return {"points": points, "groups": groups, "passages": num_passages}


def _sample(num_passages: int, max_points: int, seed: int) -> list[int]:
    if num_passages <= max_points:
        return list(range(num_passages))
    return sorted(np.random.default_rng(seed).choice(num_passages, max_points, replace=False).tolist())


def _unit(vectors: Float[NDArray[np.float32], "N D"]) -> Float[NDArray[np.float32], "N D"]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def _groups(unit: Float[NDArray[np.float32], "N D"], seed: int) -> Int[NDArray[np.int64], " N"]:
    """Give the group of each point; groups are numbered from the largest to the smallest."""
    distinct = len(np.unique(unit, axis=0))
    wanted = int(np.clip(round(np.sqrt(len(unit) / 2)), _FEWEST_GROUPS, _MOST_GROUPS))
    num_groups = min(wanted, distinct)
    if num_groups <= 1:
        return np.zeros(len(unit), dtype=np.int64)
    k_means: Any = KMeans
    found = k_means(num_groups, n_init=3, random_state=seed).fit_predict(unit)
    by_size = np.argsort(-np.bincount(found, minlength=num_groups), kind="stable")
    return np.argsort(by_size)[found].astype(np.int64)


def _layout(unit: Float[NDArray[np.float32], "N D"], seed: int) -> Float[NDArray[np.float64], "N 2"]:
    """Give every point a place in the unit square."""
    if len(unit) < 2 or np.allclose(unit, unit[0]):  # noqa: PLR2004
        return _in_square(_apart(np.zeros((len(unit), 2))))
    inner = PCA(min(_INNER_DIMENSION, *unit.shape), random_state=seed).fit_transform(unit)
    if len(unit) < _FEWEST_FOR_NEIGHBOURS:
        flat = np.zeros((len(unit), 2))
        flat[:, : min(2, inner.shape[1])] = inner[:, :2]
        return _in_square(_apart(_in_square(flat)))
    tsne = TSNE(
        perplexity=min(_PERPLEXITY, (len(unit) - 1) / 3), max_iter=_ITERATIONS, init="pca", random_state=seed, n_jobs=1
    )
    return _in_square(_apart(_in_square(tsne.fit_transform(inner))))


def _in_square(places: NDArray[np.floating[Any]]) -> Float[NDArray[np.float64], "N 2"]:
    """Move and scale places into the unit square, its middle in the middle, both axes by one factor."""
    if not len(places):
        return np.zeros((0, 2))
    low, high = places.min(axis=0), places.max(axis=0)
    span = float((high - low).max()) or 1.0
    return ((places - (low + high) / 2) / span + 0.5).astype(np.float64)


def _apart(places: Float[NDArray[np.float64], "N 2"]) -> Float[NDArray[np.float64], "N 2"]:
    """Put points that share a place on a spiral around it, so that each can be pointed at."""
    moved = places.copy()
    _, cell = np.unique((places / _SAME_PLACE).round(), axis=0, return_inverse=True)
    order = np.argsort(cell, kind="stable")
    starts = np.flatnonzero(np.diff(cell[order], prepend=-1))
    for rows in np.split(order, starts[1:]):
        turn = np.arange(len(rows)) * _GOLDEN_ANGLE
        radius = 10 * _SAME_PLACE * np.sqrt(np.arange(len(rows)))
        moved[rows] += radius[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    return moved
