"""A store of texts and their vectors: one LanceDB table, on disk or on object storage.

A row is a text with its vector and where it came from. The table's own schema records the model that made the vectors,
so a store is never queried with another. Tables are versioned: a write is there as a whole or not at all, whenever the
process dies. ``selfsent.search.store_writer`` fills it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from selfsent.errors import UserError
from selfsent.search.lance_errors import in_one_line, reason_of, require
from selfsent.search.store_place import TABLE, check_place, is_remote, local_folder
from selfsent.search.stored_model import StoredModel

Mode = Literal["vector", "text", "hybrid"]
MODES: tuple[Mode, ...] = ("vector", "text", "hybrid")
PROVENANCE_COLUMNS = ("file", "line", "package", "qualified_name")

MODEL_KEY = "selfsent.model"
"""Where the record of the model is: in the metadata of the column ``vector``; in old stores, in those of the table."""

_NUM_FUSED = 50  # candidates of each ranking that a fused ranking sees at least
_NUM_TRIES = 5  # a writer may remove the version that is being read; the next one is there already

Found = TypeVar("Found")


class Store:
    """An open store.

    Args:
        uri: Its folder, or its URI on object storage.
        table: The LanceDB table.
    """

    def __init__(self, *, uri: str, table: Any) -> None:
        self.uri = uri
        self.table = table
        self.model = _recorded_model(uri, table)

    @classmethod
    def open(cls, uri: str | Path) -> "Store":
        """Open a store to read.

        Raises:
            UserError: There is none, or it is not a store.
        """
        store = cls.find(uri)
        if store is None:
            is_absent = not is_remote(str(uri)) and not local_folder(str(uri)).exists()
            state = "no store at" if is_absent else "no finished store in"
            raise UserError(f"{state} {uri}; make one: `selfsent index MODEL INPUT --store {uri}`")
        return store

    @classmethod
    def find(cls, uri: str | Path) -> "Store | None":
        """Open the store at a place; None if there is none, or only the beginnings of one.

        Raises:
            UserError: The place is something else, or the store is damaged.
        """
        name = str(uri)
        check_place(name)
        lancedb = require("lancedb")
        if not is_remote(name) and not local_folder(name).is_dir():
            return None
        with in_one_line(f"open the store {name}", "name another, or make it anew with `selfsent index`"):
            try:
                table = lancedb.connect(place_of(name)).open_table(TABLE)
            except (ValueError, FileNotFoundError) as error:
                if "not found" in str(error).lower():
                    return None
                raise
        return cls(uri=name, table=table)

    def __len__(self) -> int:
        return int(self.table.count_rows())

    @property
    def version(self) -> int:
        """The table's version: every change of the table makes a new one."""
        return int(self.table.version)

    def search(self, query: str, vector: NDArray[np.float32] | None, k: int, mode: Mode) -> list[dict[str, Any]]:
        """Find the rows nearest to a query, in the store as it is now.

        Args:
            query: Its text.
            vector: Its vector; unused and None in mode ``text``.
            k: How many rows at most.
            mode: ``vector`` by cosine, ``text`` by BM25 over words, ``hybrid`` by reciprocal ranks in both.

        Returns:
            Rows, best first, with their ``score``: the cosine, the BM25 score, or the sum of reciprocal ranks.

        Raises:
            UserError: A search by words, but an interrupted indexing left no index of words; or the store is damaged.
        """
        rank = {"vector": self._by_meaning, "text": self._by_words, "hybrid": self._by_both}[mode]

        def ranked() -> list[dict[str, Any]]:
            num_rows = len(self)
            return rank(query, vector, min(k, num_rows)) if num_rows else []

        return self._read(ranked)

    def _read(self, read: Callable[[], Found]) -> Found:
        """Read the latest version; where a writer has removed it meanwhile, the one that is the latest then."""
        with in_one_line(f"read the store {self.uri}", "make it anew with `selfsent index`"):
            for _ in range(_NUM_TRIES - 1):
                try:
                    self.table.checkout_latest()
                    return read()
                except (OSError, RuntimeError) as error:
                    if "not found" not in reason_of(error).lower():
                        raise
            self.table.checkout_latest()
            return read()

    def _by_meaning(self, _: str, vector: NDArray[np.float32] | None, k: int) -> list[dict[str, Any]]:
        """Rank by cosine; rows whose vector is zero have no direction and are never found."""
        found = self.table.search(vector, query_type="vector", vector_column_name="vector").distance_type("cosine")
        rows = found.limit(k).select(["id", "text", *PROVENANCE_COLUMNS, "_distance"]).to_arrow().to_pylist()
        return [_scored(row, 1 - row["_distance"]) for row in rows]

    def _by_words(self, query: str, _: NDArray[np.float32] | None, k: int) -> list[dict[str, Any]]:
        found = self.table.search(self._words(query), query_type="fts").limit(k)
        rows = found.select(["id", "text", *PROVENANCE_COLUMNS, "_score"]).to_arrow().to_pylist()
        return [_scored(row, row["_score"]) for row in rows]

    def _by_both(self, query: str, vector: NDArray[np.float32] | None, k: int) -> list[dict[str, Any]]:
        both = self.table.search(query_type="hybrid", vector_column_name="vector").vector(vector)
        both = both.text(self._words(query)).distance_type("cosine")
        both = both.rerank(require("lancedb.rerankers").RRFReranker())
        rows = both.limit(max(k, _NUM_FUSED)).to_arrow().drop_columns("vector").slice(0, k).to_pylist()
        return [_scored(row, row["_relevance_score"]) for row in rows]

    def _words(self, query: str) -> Any:
        if not any("text" in index.columns for index in self.table.list_indices()):
            raise UserError(f"the store {self.uri} has no index of words yet; run `selfsent index` again to finish it")
        return require("lancedb.query").MatchQuery(query, "text")


def place_of(uri: str) -> str:
    """What LanceDB is told: a URI, or the absolute path of a folder (``a:b`` alone would be a URI to it)."""
    return uri if is_remote(uri) else str(local_folder(uri))


def _recorded_model(uri: str, table: Any) -> StoredModel:
    key, schema = MODEL_KEY.encode(), table.schema
    columns = [field.metadata or {} for field in schema if field.name == "vector"]
    recorded = next((found[key] for found in (*columns, schema.metadata or {}) if key in found), None)
    if recorded is None:
        raise UserError(f"{uri} holds a LanceDB table that selfsent did not make; name another folder")
    with in_one_line(f"open the store {uri}", "or name another"):
        return StoredModel.from_json(recorded.decode())


def _scored(row: dict[str, Any], score: float) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if not name.startswith("_")}
    return {**kept, "score": float(score)}
