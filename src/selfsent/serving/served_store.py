"""The store of a service: searches, whole documents and facts, of the version that is the latest."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from selfsent.errors import UserError
from selfsent.search.hits import Answers, Hit
from selfsent.search.lance_errors import require
from selfsent.search.semantic_search import SemanticSearch
from selfsent.search.store import Mode, Store
from selfsent.serving.filters import checked_filter

_UNREAD = frozenset({"vector", "words", "sources"})


class NoDocumentError(UserError):
    """The store holds no document of the name that was asked for."""


@dataclass(frozen=True)
class Asked:
    """What is the same for all queries of a batch.

    Args:
        k: How many answers.
        offset: How many of the best answers to leave out.
        mode: How to compare.
        where: A filter, as the client wrote it.
        all: Give weak answers too.
    """

    k: int
    offset: int
    mode: Mode
    where: str | None
    all: bool


class ServedStore:
    """An open store and what a service asks of it; used by one thread at a time.

    Args:
        place: The store, or the folder of a ``build``.
        model: Where its model is, if it was moved.
        device: Where to put the model.
        show_paths: Whether answers say which files they are from.

    Raises:
        UserError: As ``SemanticSearch``.
    """

    def __init__(
        self, place: str | Path, model: str | None = None, *, device: str | None = None, show_paths: bool = False
    ) -> None:
        self.search = SemanticSearch(place, model, device=device)
        self.table = Store.open(place)  # documents and facts are read here, however the search reads
        self.show_paths = show_paths
        self._facts: dict[str, Any] = {}
        self._open_again = partial(ServedStore, place, model, device=device, show_paths=show_paths)

    def reopened(self) -> "ServedStore":
        """Open the store that is at the same place now; the model stays open if the store is of the same.

        Raises:
            UserError: As ``SemanticSearch``.
        """
        return self._open_again()

    @property
    def columns(self) -> list[str]:
        """Columns that a filter may name."""
        return [name for name in self.table.columns if name not in _UNREAD]

    def answers(self, queries: Sequence[str], asked: Asked) -> list[dict[str, Any]]:
        """Answer queries as ``POST /search`` does.

        Raises:
            UserError: As ``SemanticSearch.answers``, or the filter is malformed.
        """
        where = asked.where
        if where is not None:
            where = checked_filter(where, self.table.read(lambda: self.columns))
        found = self.search.answers(queries, asked.offset + asked.k, asked.mode, where=where, all=asked.all)
        return [self._as_json(answers, asked.offset) for answers in found]

    def document(self, name: str) -> dict[str, Any]:
        """Give a document whole, put together from its passages.

        Args:
            name: Its id, as answers give it.

        Raises:
            NoDocumentError: There is none.
        """
        rows = self.table.read(lambda: self._rows_of(name))
        if not rows:
            raise NoDocumentError(f"the store holds no document {name!r}; use the `document` of an answer")
        text, passages = put_together(rows)
        found: dict[str, Any] = {"document": name, "title": rows[0].get("title") or ""}
        if self.show_paths:
            found["file"] = rows[0].get("file")
        return {**found, "text": text, "passages": passages}

    def facts(self) -> dict[str, Any]:
        """Say what is in the store; counted once a version."""
        return self.table.read(self._read_facts)

    def _read_facts(self) -> dict[str, Any]:
        store = self.table
        if self._facts.get("version") != store.version:
            record = store.record
            documents = store.table.search().select(["document"]).to_arrow().column("document")
            self._facts = {
                "documents": len(documents.unique()) if documents.null_count < len(documents) else None,
                "passages": len(store),
                "version": store.version,
                "columns": self.columns,
                "fusion_weight": record.fusion_weight,
                "weak_below": record.level_for(len(store)),
                "vector_index": any("vector" in index.columns for index in store.table.list_indices()),
            }
        return self._facts

    def _as_json(self, answers: Answers, offset: int) -> dict[str, Any]:
        return {"hits": [self._hit(hit) for hit in answers.hits[offset:]], "hidden": answers.hidden}

    def _hit(self, hit: Hit) -> dict[str, Any]:
        shown = hit.to_json()
        if not self.show_paths:
            shown["file"] = None
        if hit.end is None:  # a text that is a row of its own: its place may be a path, and is not looked up by
            shown["document"] = hit.id
        return shown

    def _rows_of(self, name: str) -> list[dict[str, Any]]:
        columns = [name for name in self.table.columns if name not in ("vector", "words")]
        expressions = require("lancedb.expr")
        for column in ("document", "id"):
            if column in columns:
                chosen = expressions.col(column) == expressions.lit(name)
                rows = self.table.table.search().where(chosen).select(columns).to_arrow().to_pylist()
                if rows:
                    return _of_one_source(rows)
        return []


def _of_one_source(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Two sources may name a document alike; take the first of them, in the order of its text."""
    first = min(row.get("sources") or "" for row in rows)
    own = [row for row in rows if (row.get("sources") or "") == first]
    return sorted(own, key=lambda row: (row.get("start") or 0, row["id"]))


def put_together(rows: Sequence[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """Put passages together by their offsets; what lies between two of them is white space that the store has not kept.

    Args:
        rows: Passages in the order of the text: ``id``, ``text``, ``start`` and ``end``, which are null in stores of an
            earlier version.

    Returns:
        The text, and ``id``, ``start`` and ``end`` of each passage in it. The offsets are those of the answers.
    """
    pieces: list[str] = []
    length = 0
    passages: list[dict[str, Any]] = []
    for row in rows:
        text: str = row["text"]
        start = length if row.get("start") is None else int(row["start"])
        if start > length:
            gap = start - length
            pieces.append("\n" * min(gap, 2) + " " * (gap - 2) if gap > 1 else " ")
            length = start
        kept = text[length - start :]
        pieces.append(kept)
        length += len(kept)
        passages.append({"id": row["id"], "start": start, "end": start + len(text)})
    return "".join(pieces), passages
