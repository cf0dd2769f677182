"""Queries on a store: by meaning, by words, or by both."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sentence_transformers import SentenceTransformer

from selfsent.cut_texts import count_cut, cut_note, query_prompt
from selfsent.errors import UserError
from selfsent.loading import load
from selfsent.printed_text import TextTable
from selfsent.search.encoding import Vectors, encode_texts
from selfsent.search.store import MODES, PROVENANCE_COLUMNS, Mode, Store
from selfsent.search.stored_model import describe

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One answer to a query.

    Args:
        rank: Its place, from 1.
        score: The cosine (mode ``vector``), the BM25 score (``text``) or the sum of reciprocal ranks (``hybrid``).
        text: The text.
        id: Its id in the store.
        provenance: Where it came from: ``file`` and ``line``, or ``package`` and ``qualified_name``.
    """

    rank: int
    score: float
    text: str
    id: str
    provenance: Mapping[str, str | int]


class SemanticSearch:
    """Searches a store with the model that made it.

    Args:
        store: The store's folder or URI, as ``index`` made it.
        model: Where its model is now, if it was moved: a folder or a name on the hub. It must be the same model.
        device: Where to put the model; default: the host's choice.

    Raises:
        UserError: There is no such store, its model is not found, or another model is offered.

    Example:
        >>> search = SemanticSearch("./store")  # doctest: +SKIP
        >>> search.search("how do I open a file?", k=3)  # doctest: +SKIP
    """

    def __init__(self, store: str | Path, model: str | Path | None = None, *, device: str | None = None) -> None:
        self.store = Store.open(store)
        self.model = _open_model(self.store, model, device)

    def search(self, query: str, k: int = 5, mode: Mode = "vector") -> list[Hit]:
        """Find the texts nearest to a query.

        Args:
            query: What to look for; goes through the model's ``encode_query``, so its prompt is honoured.
            k: How many answers, at least 1; fewer come back where the store holds fewer or, by words, fewer match.
            mode: ``vector`` compares meanings, ``text`` words, ``hybrid`` fuses the two rankings.

        Returns:
            The answers, best first.

        Raises:
            UserError: The query is empty or holds no token the model knows, k is below 1, or the mode is another.
        """
        return self.search_batch([query], k, mode)[0]

    def search_batch(self, queries: Sequence[str], k: int = 5, mode: Mode = "vector") -> list[list[Hit]]:
        """Answer several queries; they are encoded together.

        Args:
            queries: What to look for.
            k: How many answers each.
            mode: As in ``search``.

        Returns:
            For each query its answers.

        Raises:
            UserError: As ``search``.
        """
        _refuse(queries, k, mode)
        vectors = [None] * len(queries) if mode == "text" else self._encode(queries)
        found = (self.store.search(query, vector, k, mode) for query, vector in zip(queries, vectors, strict=True))
        return [[_hit(rank, row) for rank, row in enumerate(rows, start=1)] for rows in found]

    def _encode(self, queries: Sequence[str]) -> Vectors:
        if not queries:
            return np.empty((0, self.store.model.dimension), dtype=np.float32)
        vectors = encode_texts(self.model.encode_query, queries, batch_size=32)
        if num_cut := count_cut(self.model, queries, prompt=query_prompt(self.model)):
            _LOG.warning(cut_note(self.model, num_cut, len(queries)))
        for query, vector in zip(queries, vectors, strict=True):
            if not vector.any():
                raise UserError(f"the model knows no token of the query {query!r}; use other words, or `--mode text`")
        return vectors


def render_hits(hits: Sequence[Hit]) -> TextTable:
    """Lay out answers for a terminal: rank, score, text, and where it came from."""
    table = TextTable(box=None, pad_edge=False, show_header=bool(hits), title="" if hits else "nothing found")
    table.add_column("#", justify="right")
    table.add_column("score", justify="right")
    table.add_column("text", overflow="fold", ratio=1)
    table.add_column("from", style="dim", overflow="fold")
    for hit in hits:
        table.add_row(str(hit.rank), f"{hit.score:.3f}", hit.text, _place(hit.provenance))
    return table


def _open_model(store: Store, model: str | Path | None, device: str | None) -> SentenceTransformer:
    location = store.model.location(store.uri) if model is None else model
    try:
        opened = load(location, device=device)
    except UserError as error:
        if model is not None:
            raise
        raise UserError(
            f"the model of the store {store.uri} is not at {location}; name where it is with `--model`"
        ) from error
    store.model.require(describe(opened, location, store.uri), store.uri)
    return opened


def _refuse(queries: Sequence[str], k: int, mode: str) -> None:
    if k < 1:
        raise UserError(f"got k = {k}; at least 1 answer must be asked for")
    if mode not in MODES:
        raise UserError(f"got the mode {mode!r}; it is one of {', '.join(MODES)}")
    for query in queries:
        if not query.strip():
            raise UserError("got an empty query; type what to look for, in quotes")


def _hit(rank: int, row: Mapping[str, Any]) -> Hit:
    provenance = {name: row[name] for name in PROVENANCE_COLUMNS if row[name] is not None}
    return Hit(rank=rank, score=row["score"], text=row["text"], id=row["id"], provenance=provenance)


def _place(provenance: Mapping[str, str | int]) -> str:
    if "file" in provenance:
        return ":".join(str(provenance[name]) for name in ("file", "line") if name in provenance)
    # A qualified name usually begins with its package.
    return str(provenance.get("qualified_name", provenance.get("package", "")))
