"""A store of texts and their vectors: one LanceDB table, on disk or on object storage.

A row is a text with its vector and where it came from. The table's own schema records the model that made the vectors,
so a store is never queried with another. Tables are versioned: a write is there as a whole or not at all, whenever the
process dies.
"""

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from selfsent.errors import UserError
from selfsent.search.stored_model import StoredModel, is_remote

Mode = Literal["vector", "text", "hybrid"]
MODES: tuple[Mode, ...] = ("vector", "text", "hybrid")
PROVENANCE_COLUMNS = ("file", "line", "package", "qualified_name")

_TABLE = "texts"
_METADATA_KEY = b"selfsent.model"
_NUM_FUSED = 50  # candidates of each ranking that a fused ranking sees at least


class Store:
    """An open store.

    Args:
        uri: Its folder, or its URI on object storage.
        table: The LanceDB table.
    """

    def __init__(self, *, uri: str, table: Any) -> None:
        self.uri = uri
        self._table = table
        recorded = (table.schema.metadata or {}).get(_METADATA_KEY)
        if recorded is None:
            raise UserError(f"{uri} holds a LanceDB table that selfsent did not make; name another folder")
        self.model = StoredModel.from_json(recorded.decode())

    @classmethod
    def open(cls, uri: str | Path) -> "Store":
        """Open a store to read.

        Raises:
            UserError: There is none, or it is not a store.
        """
        store = _existing(str(uri))
        if store is None:
            state = "no store at" if not is_remote(str(uri)) and not Path(uri).exists() else "no finished store in"
            raise UserError(f"{state} {uri}; make one: `selfsent index MODEL INPUT --store {uri}`")
        return store

    @classmethod
    def open_or_create(cls, uri: str | Path, model: StoredModel) -> "Store":
        """Open the store of a model to add to it, or make it.

        Raises:
            UserError: The store was made by another model, or the place cannot be used.
        """
        store = _existing(str(uri))
        if store is None:
            _refuse_foreign_folder(str(uri))
            store = cls(uri=str(uri), table=_create(str(uri), model))
        store.model.require(model, store.uri)
        return store

    def __len__(self) -> int:
        return int(self._table.count_rows())

    @property
    def version(self) -> int:
        """The table's version: every change of the table makes a new one."""
        return int(self._table.version)

    def ids(self) -> Iterator[str]:
        """Yield the ids of all rows, in no particular order, without their texts and vectors."""
        for batch in self._table.search().select(["id"]).to_batches():
            yield from batch.column("id").to_pylist()

    def add(self, rows: Sequence[dict[str, Any]], vectors: NDArray[np.float32]) -> None:
        """Add rows at once: all of them, or none if the process dies.

        Args:
            rows: For each row its ``id``, ``text`` and what is known of the provenance columns.
            vectors: Their vectors, ``(rows, dimension)``.
        """
        pa = _require("pyarrow")
        schema = self._table.schema
        values = pa.array(vectors.astype(np.float32, copy=False).ravel())
        columns = {"vector": pa.FixedSizeListArray.from_arrays(values, self.model.dimension)}
        for field in schema:
            if field.name != "vector":
                columns[field.name] = pa.array([row.get(field.name) for row in rows], field.type)
        self._table.add(pa.table(columns, schema=schema))

    def finish(self, *, max_exact_rows: int) -> None:
        """Bring the indices up to date after rows were added; change nothing if they are.

        Args:
            max_exact_rows: Vector search compares the query with every row up to this many; a larger store gets an
                approximate index.
        """
        indexing = _require("lancedb.index")
        indices = {index.columns[0]: index.name for index in self._table.list_indices()}
        if "text" not in indices and len(self):
            self._table.optimize()
            # Segmented by Unicode's rules, no stemming, no stop words: the same for every language.
            words = indexing.FTS(base_tokenizer="icu/split", stem=False, remove_stop_words=False)
            self._table.create_index("text", config=words)
        if "vector" not in indices and len(self) > max_exact_rows:
            self._table.create_index("vector", config=indexing.IvfFlat(distance_type="cosine"))
        if any(self._table.index_stats(name).num_unindexed_rows for name in indices.values()):
            self._table.optimize()

    def search(self, query: str, vector: NDArray[np.float32] | None, k: int, mode: Mode) -> list[dict[str, Any]]:
        """Find the rows nearest to a query.

        Args:
            query: Its text.
            vector: Its vector; unused and None in mode ``text``.
            k: How many rows at most.
            mode: ``vector`` by cosine, ``text`` by BM25 over words, ``hybrid`` by reciprocal ranks in both.

        Returns:
            Rows, best first, with their ``score``: the cosine, the BM25 score, or the sum of reciprocal ranks.

        Raises:
            UserError: A search by words, but an interrupted indexing left no index of words.
        """
        if mode == "vector":
            found = self._by_vector(vector).limit(k).select(["id", "text", *PROVENANCE_COLUMNS, "_distance"])
            return [_scored(row, 1 - row["_distance"]) for row in found.to_arrow().to_pylist()]
        words = _require("lancedb.query").MatchQuery(query, "text")
        if not any("text" in index.columns for index in self._table.list_indices()):
            raise UserError(f"the store {self.uri} has no index of words yet; run `selfsent index` again to finish it")
        if mode == "text":
            found = self._table.search(words, query_type="fts").limit(k)
            found = found.select(["id", "text", *PROVENANCE_COLUMNS, "_score"])
            return [_scored(row, row["_score"]) for row in found.to_arrow().to_pylist()]
        both = self._table.search(query_type="hybrid", vector_column_name="vector").vector(vector).text(words)
        both = both.distance_type("cosine").rerank(_require("lancedb.rerankers").RRFReranker())
        found = both.limit(max(k, _NUM_FUSED)).to_arrow().drop_columns("vector").slice(0, k)
        return [_scored(row, row["_relevance_score"]) for row in found.to_pylist()]

    def _by_vector(self, vector: NDArray[np.float32] | None) -> Any:
        """Cosine search; rows whose vector is zero have no direction and are never found."""
        query = self._table.search(vector, query_type="vector", vector_column_name="vector")
        return query.distance_type("cosine")


def _scored(row: dict[str, Any], score: float) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if not name.startswith("_")}
    return {**kept, "score": float(score)}


def _require(module: str) -> Any:
    """Import a module of the extra ``search``."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"a store needs {module.split('.', maxsplit=1)[0]}: `pip install 'selfsent[search]'`"
        ) from error


def _existing(uri: str) -> Store | None:
    """The store at a place; None if there is none, or only the beginnings of one."""
    lancedb = _require("lancedb")
    if not is_remote(uri):
        if Path(uri).exists() and not Path(uri).is_dir():
            raise UserError(f"{uri} is a file, not a store; name the folder that `selfsent index --store` made")
        if not Path(uri).is_dir():
            return None
    try:
        table = lancedb.connect(uri).open_table(_TABLE)
    except (ValueError, FileNotFoundError) as error:
        if "not found" in str(error).lower():
            return None
        raise UserError(f"cannot open the store {uri}: {str(error).splitlines()[0]}") from error
    except (OSError, RuntimeError) as error:
        raise UserError(f"cannot open the store {uri}: {str(error).splitlines()[0]}") from error
    return Store(uri=uri, table=table)


def _refuse_foreign_folder(uri: str) -> None:
    """Do not scatter a store over a folder of something else."""
    if is_remote(uri) or not Path(uri).is_dir():
        return
    others = sorted(path.name for path in Path(uri).iterdir() if path.name != f"{_TABLE}.lance")
    if others:
        raise UserError(f"{uri} is not a store: it holds {others[0]!r}; name an empty or a new folder")


def _create(uri: str, model: StoredModel) -> Any:
    lancedb, pa = _require("lancedb"), _require("pyarrow")
    schema = pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("text", pa.string(), nullable=False),
            pa.field("vector", pa.list_(pa.float32(), model.dimension)),
            *(pa.field(name, pa.int64() if name == "line" else pa.string()) for name in PROVENANCE_COLUMNS),
        ],
        metadata={_METADATA_KEY: model.to_json().encode()},
    )
    try:
        return lancedb.connect(uri).create_table(_TABLE, schema=schema)
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(f"cannot make a store at {uri}: {str(error).splitlines()[0]}") from error
