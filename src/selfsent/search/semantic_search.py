"""Queries on a store: by meaning, by words, or by both."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from selfsent.encoding import count_cut, cut_note, encode_texts, query_prompt
from selfsent.errors import UserError, not_one_of
from selfsent.loading import open_to_encode
from selfsent.search.hit_table import render_hits
from selfsent.search.hits import Answers, Hit
from selfsent.search.mapped_store import MappedStore
from selfsent.search.marks import Match, matched_words, nearest_phrase
from selfsent.search.ranking import Ranked, rank
from selfsent.search.store import MODES, Mode, Store
from selfsent.search.store_place import store_in
from selfsent.search.store_schema import OWN_COLUMNS
from selfsent.search.stored_model import StoredModel, describe
from selfsent.search.weak_answers import is_weak
from selfsent.words import Analyser

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from selfsent.runtime.runtime_model import RuntimeModel

__all__ = ["Answers", "Hit", "SemanticSearch", "render_hits"]

_PROVENANCE = ("file", "line", "page", "package", "qualified_name")
_UNREAD = ("vector", "words")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
_LOG = logging.getLogger(__name__)

Vector = NDArray[np.float32]


class SemanticSearch:
    """Searches a store with the model that made it.

    It reads the store's snapshot where there is one of the latest version, and the table where there is none.

    Args:
        store: The store's folder or URI, as ``index`` made it, or the folder of a ``build``.
        model: Where its model is now, if it was moved: a folder or a name on the hub. It must be the same model.
        device: Where to put the model; default: the best there is.
        words_only: Open no model: only the mode ``text`` can be asked for then.
        version: Search a version that was kept (`selfsent.search.kept_versions`); default: the latest, also of what is
            indexed later.

    Raises:
        UserError: There is no such store or version, its model is not found, or another model is offered.

    Example:
        >>> search = SemanticSearch("./store")  # doctest: +SKIP
        >>> search.search("how do I open a file?", k=3)  # doctest: +SKIP
    """

    def __init__(
        self,
        store: str | Path,
        model: str | Path | None = None,
        *,
        device: str | None = None,
        words_only: bool = False,
        version: int | None = None,
    ) -> None:
        self._place = str(store_in(store))
        self._named = store
        self._version = version
        self._mapped: MappedStore | None = None
        if version is not None:
            self._mapped = MappedStore.of_version(self._place, version)
        self._table: Store | None = None
        self._recorded: StoredModel | None = None
        self._recorded = self.store.model
        self._model = None if words_only else _open_model(self._recorded, self._place, model, device)

    @property
    def store(self) -> Store | MappedStore:
        """The store as it is now: its snapshot, or its table.

        Raises:
            UserError: The store was made anew by another model.
        """
        if self._version is None and (self._mapped is None or not self._mapped.is_latest):
            self._mapped = MappedStore.find(self._place)
            if self._mapped is not None and self._recorded is not None:
                self._mapped.model.require(self._recorded, self._place)
        return self.table if self._mapped is None else self._mapped

    @property
    def table(self) -> Store:
        """The store's table, opened by LanceDB."""
        if self._table is None:
            self._table = Store.open(self._named)
        return self._table

    @property
    def model(self) -> "SentenceTransformer | RuntimeModel":
        """The open model.

        Raises:
            UserError: The search was opened for words only.
        """
        if self._model is None:
            raise UserError("this search was opened for words only, without a model; search in the mode `text`")
        return self._model

    def search(
        self,
        query: str,
        k: int = 5,
        mode: Mode = "hybrid",
        *,
        where: str | None = None,
        all: bool = False,  # noqa: A002 as the option
    ) -> list[Hit]:
        """Find the documents that answer a query, each with its best passage.

        Args:
            query: What to look for; goes through the model's ``encode_query``, so its prompt is honoured.
            k: How many answers, at least 1; fewer come back where the store holds fewer or, by words, fewer match.
            mode: ``vector`` compares meanings, ``text`` words, ``hybrid`` fuses the two with the store's weight.
            where: An expression of SQL that answers have to meet, over the columns of the store: ``file``, ``line``,
                ``page``, ``title``, ``document``, ``package``, ``qualified_name``, and those that were kept.
            all: Give weak answers too.

        Returns:
            The answers, best first.

        Raises:
            UserError: The query is empty or, in mode ``vector``, holds no token the model knows; k is below 1; the mode
                is another; or the filter cannot be used.
        """
        return list(self.answers([query], k, mode, where=where, all=all)[0].hits)

    def search_batch(
        self,
        queries: Sequence[str],
        k: int = 5,
        mode: Mode = "hybrid",
        *,
        where: str | None = None,
        all: bool = False,  # noqa: A002 as the option
    ) -> list[list[Hit]]:
        """Answer several queries; they are encoded together.

        Args:
            queries: What to look for.
            k: How many answers each.
            mode: As in ``search``.
            where: As in ``search``.
            all: As in ``search``.

        Returns:
            For each query its answers.

        Raises:
            UserError: As ``search``.
        """
        return [list(found.hits) for found in self.answers(queries, k, mode, where=where, all=all)]

    def answers(
        self,
        queries: Sequence[str],
        k: int = 5,
        mode: Mode = "hybrid",
        *,
        where: str | None = None,
        all: bool = False,  # noqa: A002 as the option
        mark: bool = True,
    ) -> list[Answers]:
        """Answer several queries, and count the weak answers that are hidden.

        An answer is weak where its cosine is below what texts drawn at random have, and no content word of the query is
        in it. None is hidden in a store of fewer than 200 passages.

        Args:
            queries: What to look for.
            k: How many answers each; the hidden ones count.
            mode: As in ``search``.
            where: As in ``search``.
            all: As in ``search``.
            mark: Find what of the passages matches.

        Raises:
            UserError: As ``search``.
        """
        _refuse(queries, k, mode)
        _require_one_expression(where)
        vectors = [None] * len(queries) if mode == "text" else self._encode(queries, mode)
        return [
            self._answer(query, vector, k, mode, where=where, show_weak=all, mark=mark)
            for query, vector in zip(queries, vectors, strict=True)
        ]

    def _answer(
        self, query: str, vector: Vector | None, k: int, mode: Mode, *, where: str | None, show_weak: bool, mark: bool
    ) -> Answers:
        store = self.store
        if isinstance(store, MappedStore) and where is not None and not store.can_filter(where):
            if self._version is not None:
                raise UserError(
                    f"the filter {where!r} cannot be used on a kept version, which knows comparisons of columns with"
                    " values, AND, OR and NOT; write it with these, or search the latest version"
                )
            store = self.table

        def found() -> tuple[list[Ranked], dict[str, dict[str, Any]], Analyser | None, float | None]:
            ranked = rank(store, query, vector, k=k, mode=mode, where=where)
            columns = [name for name in store.columns if name not in _UNREAD]
            rows = store.fetch([one.passage.row_id for one in ranked], columns)
            return ranked, rows, store.analyser, None if show_weak else store.record.level_for(len(store))

        ranked, rows, analyser, weak_below = store.read(found)
        shown = [
            one
            for one in ranked
            if weak_below is None or not is_weak(one, rows[one.passage.id], query, analyser, weak_below=weak_below)
        ]
        hits = [_hit(number, one, rows[one.passage.id]) for number, one in enumerate(shown, start=1)]
        if mark:
            hits = [replace(hit, matches=self._matches(query, vector, hit.text, analyser)) for hit in hits]
        return Answers(hits=hits, hidden=len(ranked) - len(shown))

    def _matches(self, query: str, vector: Vector | None, text: str, analyser: Analyser | None) -> tuple[Match, ...]:
        found = matched_words(query, text, analyser or Analyser())
        if vector is not None and self._model is not None:
            phrase = nearest_phrase(self._model, vector, text)
            found += [] if phrase is None else [phrase]
        return tuple(sorted(found, key=lambda match: (match.start, match.end)))

    def _encode(self, queries: Sequence[str], mode: Mode) -> list[Vector | None]:
        """Embed queries; in a hybrid search, one without direction is left to its words."""
        if not queries:
            return []
        vectors = encode_texts(self.model.encode_query, queries, batch_size=32)
        if num_cut := count_cut(self.model, queries, prompt=query_prompt(self.model)):
            _LOG.warning(cut_note(self.model, num_cut, len(queries)))
        has_direction = [bool(vector.any()) for vector in vectors]
        for query, is_known in zip(queries, has_direction, strict=True):
            if not is_known and mode == "vector":
                raise UserError(f"the model knows no token of the query {query!r}; use other words, or `--mode text`")
        return [vector if is_known else None for vector, is_known in zip(vectors, has_direction, strict=True)]


def _open_model(
    recorded: StoredModel, place: str, model: str | Path | None, device: str | None
) -> "SentenceTransformer | RuntimeModel":
    location = recorded.location(place) if model is None else model
    try:
        opened = open_to_encode(location, device=device)
    except UserError as error:
        if model is not None:
            raise
        raise UserError(
            f"the model of the store {place} is not at {location}; name where it is with `--model`"
        ) from error
    recorded.require(describe(opened, location, place), place)
    return opened


def _require_one_expression(where: str | None) -> None:
    """Refuse a second statement, which LanceDB passes over without a word."""
    if where is not None and ";" in _QUOTED.sub("", where):
        raise UserError(f"the filter must be one expression, got {where!r}; leave out the ';' and what follows it")


def _refuse(queries: Sequence[str], k: int, mode: str) -> None:
    if k < 1:
        raise UserError(f"k must be at least 1, got {k}")
    if mode not in MODES:
        raise UserError(not_one_of("mode", mode, MODES))
    for query in queries:
        if not query.strip():
            raise UserError("the query must not be empty; type what to look for, in quotes")


def _hit(number: int, ranked: Ranked, row: Mapping[str, Any]) -> Hit:
    provenance = {name: row[name] for name in _PROVENANCE if row.get(name) is not None}
    hit = Hit(
        rank=number,
        score=ranked.score,
        text=row["text"],
        id=row["id"],
        provenance=provenance,
        document=row.get("document") or "",
        title=row.get("title") or "",
        start=row.get("start") or 0,
        end=row.get("end"),
        kept={name: value for name, value in row.items() if name not in OWN_COLUMNS},
    )
    return hit if hit.document else replace(hit, document=hit.place or hit.id)
