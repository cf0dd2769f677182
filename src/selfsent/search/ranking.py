"""The ranking of a store's documents for a query: by cosines, by BM25, or by both."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from selfsent.search.fusion import DEFAULT_WEIGHT, NUM_CANDIDATES, fused
from selfsent.search.mapped_store import MappedStore
from selfsent.search.store import Mode, Row, Store

_NUM_WITH_WORDS = 1000
_PASSAGES_A_DOCUMENT = 4
_GROWTH = 8

Key = tuple[str, str]
"""Document and sources, or the id of a text that belongs to no document."""

Groups = Mapping[Key, Sequence["Passage"]]


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A row that was found.

    Args:
        row_id: Its number in this version of the table.
        id: Its id.
        words: BM25 score; 0 where it was not found by words.
        cosine: Cosine; None where it was not found by meaning.
    """

    row_id: int
    id: str
    words: float = 0.0
    cosine: float | None = None

    @property
    def score(self) -> float:
        """The score that it was found by."""
        return self.words if self.cosine is None else self.cosine


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """A document in a ranking.

    Args:
        passage: Its best passage.
        score: What it is ranked by.
        words: The highest BM25 score of its passages.
        cosine: The highest cosine of its passages; None in a search by words alone.
    """

    passage: Passage
    score: float
    words: float
    cosine: float | None


def rank(
    store: Store | MappedStore,
    query: str,
    vector: NDArray[np.float32] | None,
    *,
    k: int,
    mode: Mode,
    where: str | None = None,
) -> list[Ranked]:
    """Rank the documents of a store; call it within ``Store.read``.

    The candidates of a hybrid search are the best documents by either part. Each has the highest BM25 score and the
    highest cosine of its passages; the two are fused as in ``selfsent.search.fusion``. The filter holds for both parts,
    each of which is a search of its own: LanceDB's hybrid search inverts a filter (lancedb#3095).

    Args:
        store: The store, or its snapshot.
        query: Its text.
        vector: Its vector; None in mode ``text``, and in mode ``hybrid`` for a query without direction.
        k: How many documents at most.
        mode: ``vector`` by cosine, ``text`` by BM25, ``hybrid`` by both.
        where: An expression of SQL over the columns that rows have to meet.

    Returns:
        The best documents, best first; of equal score, in the order of their names, and of their passages' ids.

    Raises:
        UserError: The store has no index of words yet, or the filter cannot be used.
    """
    num_rows = len(store)
    if not num_rows:
        return []
    num_documents = min(k if mode != "hybrid" else max(k, NUM_CANDIDATES), num_rows)
    words: Groups = {}
    cosines: Groups = {}
    if mode != "vector":
        words = _groups(lambda limit: store.with_words(query, limit, where), _NUM_WITH_WORDS, num_documents, num_rows)
    if mode != "text" and vector is not None:
        first = _PASSAGES_A_DOCUMENT * num_documents
        cosines = _groups(lambda limit: store.nearest(vector, limit, where), first, num_documents, num_rows)
    if mode == "text":
        ranked = {key: _by_words(passages) for key, passages in words.items()}
    elif mode == "vector":
        ranked = {key: _by_cosine(passages) for key, passages in cosines.items()}
    else:
        ranked = _fused(store, vector, _candidates(words, cosines, num_documents))
    best = sorted(ranked.items(), key=lambda one: (-one[1].score, one[0]))
    return [one for _, one in best[:k]]


def _groups(find: Callable[[int], list[Row]], first: int, num_documents: int, num_rows: int) -> Groups:
    """Find passages until they are of enough documents, or there are no more.

    Documents are in the order of their best passages, and of their names where these are equal.
    """
    limit = min(max(first, num_documents), num_rows)
    while True:
        rows = find(limit)
        groups: dict[Key, list[Passage]] = {}
        for row in rows:
            groups.setdefault(_key(row), []).append(_passage(row))
        if len(groups) >= num_documents or len(rows) < limit or limit == num_rows:
            return dict(sorted(groups.items(), key=lambda group: (-group[1][0].score, group[0])))
        limit = min(limit * _GROWTH, num_rows)


def _key(row: Row) -> Key:
    document = row.get("document")
    return (row["id"], "") if document is None else (document, row.get("sources") or "")


def _passage(row: Row) -> Passage:
    score = row["score"]
    by_words = "_score" in row
    return Passage(
        row_id=row["_rowid"], id=row["id"], words=score if by_words else 0.0, cosine=None if by_words else score
    )


def _by_words(passages: Sequence[Passage]) -> Ranked:
    best = min(passages, key=lambda one: (-one.words, one.id))
    return Ranked(passage=best, score=best.words, words=best.words, cosine=None)


def _by_cosine(passages: Sequence[Passage]) -> Ranked:
    best = min(passages, key=lambda one: (-(one.cosine or 0.0), one.id))
    assert best.cosine is not None, "found by its cosine"  # noqa: S101 our own invariant
    return Ranked(passage=best, score=best.cosine, words=0.0, cosine=best.cosine)


def _candidates(words: Groups, cosines: Groups, num_documents: int) -> dict[Key, list[Passage]]:
    """The best documents of both rankings, each with all of its passages that either found."""
    keys = dict.fromkeys((*islice(words, num_documents), *islice(cosines, num_documents)))
    found: dict[Key, list[Passage]] = {}
    for key in keys:
        by_words = {one.id: one for one in words.get(key, ())}
        by_meaning = {one.id: one for one in cosines.get(key, ())}
        both = by_meaning | {
            name: replace(one, cosine=by_meaning[name].cosine if name in by_meaning else None)
            for name, one in by_words.items()
        }
        found[key] = sorted(both.values(), key=lambda one: one.id)
    return found


def _fused(
    store: Store | MappedStore, vector: NDArray[np.float32] | None, candidates: Mapping[Key, list[Passage]]
) -> dict[Key, Ranked]:
    """Score the candidates by both parts; cosines that are not known yet are computed."""
    if not candidates:
        return {}
    passages = [passage for found in candidates.values() for passage in found]
    lengths = [len(found) for found in candidates.values()]
    starts = np.cumsum([0, *lengths])[:-1]
    words = np.array([passage.words for passage in passages])
    cosines = _cosines(store, vector, passages)
    weight = store.record.fusion_weight
    weight = DEFAULT_WEIGHT if weight is None else weight
    own = fused(words, cosines, weight)
    document_words, document_cosines = np.maximum.reduceat(words, starts), np.maximum.reduceat(cosines, starts)
    scores = fused(document_words, document_cosines, weight)
    ranked: dict[Key, Ranked] = {}
    for number, (key, start, length) in enumerate(zip(candidates, starts, lengths, strict=True)):
        best = int(start) + int(np.argmax(own[start : start + length]))
        ranked[key] = Ranked(
            passage=passages[best],
            score=float(scores[number]),
            words=float(document_words[number]),
            cosine=float(document_cosines[number]),
        )
    return ranked


def _cosines(
    store: Store | MappedStore, vector: NDArray[np.float32] | None, passages: Sequence[Passage]
) -> NDArray[np.float64]:
    """The cosines of passages: those that were found, and the others from their stored vectors."""
    if vector is None:
        return np.zeros(len(passages))
    unknown = [passage.row_id for passage in passages if passage.cosine is None]
    stored = {name: np.asarray(row["vector"]) for name, row in store.fetch(unknown, ["id", "vector"]).items()}
    return np.array([_cosine(vector, stored[one.id]) if one.cosine is None else one.cosine for one in passages])


def _cosine(query: NDArray[np.float32], vector: NDArray[np.float64]) -> float:
    norms = float(np.linalg.norm(query)) * float(np.linalg.norm(vector))
    return float(query @ vector) / norms if norms else 0.0
