"""Filling a store: one writer at a time, every id once, its indices and its record up to date, old versions removed."""

import contextlib
import logging
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfsent.one_writer import one_writer
from selfsent.search.lance_errors import in_one_line, require
from selfsent.search.store import MODEL_KEY, PROVENANCE_COLUMNS, Store, place_of
from selfsent.search.store_place import TABLE, is_remote, local_folder, refuse_foreign_folder
from selfsent.search.stored_model import StoredModel

_LOG = logging.getLogger(__name__)

_WORDS_INDEX = "words_of_any_length"
"""Name of the index of words. Stores of earlier versions have ``text_idx``, which lacks words over 40 letters."""

_AT_ONCE = timedelta(milliseconds=1)  # LanceDB warns of 0; readers here go on with the next version


@contextlib.contextmanager
def writing(uri: str | Path, model: StoredModel) -> Generator["StoreWriter"]:
    """Open the store of a model to add to it, or make it; nobody else can write to it meanwhile.

    Object storage (``s3://``) knows no locks: there, do not let two processes write to one store at the same time.
    Should they, the next one that opens the store to write removes what is there twice.

    Args:
        uri: Its folder, or its URI on object storage.
        model: The record of the model whose vectors will be added.

    Raises:
        UserError: The store was made by another model, another process is writing to it, or the place cannot be used.
    """
    name = str(uri)
    _existing(name, model)  # refuses before anything is touched
    with one_writer(local_folder(name), "store", shown=name) if not is_remote(name) else contextlib.nullcontext():
        with _written(name):
            store = _existing(name, model)  # an empty one is one
            writer = StoreWriter(_created(name, model) if store is None else store, model)
        yield writer


class StoreWriter:
    """A store that is open to add to it; what an earlier version or two writers left behind is mended.

    Args:
        store: The store.
        model: The record of its model, as of now.
    """

    def __init__(self, store: Store, model: StoredModel) -> None:
        self.store = store
        self._table: Any = store.table
        self._first_version = store.version
        if store.model.is_former:
            store.model = replace(store.model, sha256=model.sha256, hash_version=model.hash_version)
            _record(self._table, store.model)
        self._known = self._ids()
        self._known_version = store.version

    def missing(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows whose id the store does not hold."""
        return [row for row in rows if row["id"] not in self._known]

    def add(self, rows: Sequence[dict[str, Any]], vectors: NDArray[np.float32]) -> int:
        """Add rows at once: all of them, or none if the process dies. Those that somebody added meanwhile are left out.

        Args:
            rows: For each row its ``id``, ``text`` and what is known of the provenance columns.
            vectors: Their vectors, ``(rows, dimension)``.

        Returns:
            How many were added.

        Raises:
            UserError: The store cannot be written to.
        """
        with _written(self.store.uri):
            self._table.checkout_latest()
            if self.store.version != self._known_version:
                self._known = self._ids()
            new_mask = np.array([row["id"] not in self._known for row in rows], dtype=bool)
            new = [row for row, is_new in zip(rows, new_mask, strict=True) if is_new]
            self._known_version = self.store.version
            if new:
                self._table.add(self._as_table(new, vectors[new_mask]))
                self._known.update(row["id"] for row in new)
                self._known_version += 1  # more, if somebody else has written as well: then read them again
        return len(new)

    def finish(self, *, max_exact_rows: int) -> None:
        """Bring the indices up to date and remove former versions; change nothing if nothing has changed.

        Args:
            max_exact_rows: Vector search compares the query with every row up to this many; a larger store gets an
                approximate index.

        Raises:
            UserError: The store cannot be written to.
        """
        with _written(self.store.uri):
            self._index_words()
            self._index_vectors(max_exact_rows)
            indices = self._table.list_indices()
            is_stale = any(self._table.index_stats(index.name).num_unindexed_rows for index in indices)
            if is_stale or self.store.version != self._first_version:
                self._tidy()

    def _index_words(self) -> None:
        names = {index.name for index in self._table.list_indices() if "text" in index.columns}
        if len(self.store) and _WORDS_INDEX not in names:
            # Segmented by Unicode's rules, no stemming, no stop words, of any length: the same for every language.
            config = require("lancedb.index").FTS(
                base_tokenizer="icu/split", stem=False, remove_stop_words=False, max_token_length=None
            )
            self._table.create_index("text", config=config, name=_WORDS_INDEX)
            for name in names:
                self._table.drop_index(name)

    def _index_vectors(self, max_exact_rows: int) -> None:
        has_index = any("vector" in index.columns for index in self._table.list_indices())
        if not has_index and len(self.store) > max_exact_rows:
            self._table.create_index("vector", config=require("lancedb.index").IvfFlat(distance_type="cosine"))

    def _tidy(self) -> None:
        """Merge small files, take new rows into the indices, and remove all versions before the latest.

        On object storage, where somebody else may be writing, versions stay for LanceDB's seven days.
        """
        self._table.optimize(cleanup_older_than=None if is_remote(self.store.uri) else _AT_ONCE)

    def _ids(self) -> set[str]:
        """Read the ids of all rows; a row whose id was seen already is removed."""
        known: set[str] = set()
        doubled: list[int] = []
        for name, row in self._numbered_ids():
            if name in known:
                doubled.append(row)
            known.add(name)
        if doubled:
            self._table.delete(f"_rowid IN ({', '.join(map(str, doubled))})")
            _LOG.warning(
                "the store %s held %d rows twice, from writers that overlapped; the doubles are removed",
                self.store.uri,
                len(doubled),
            )
        return known

    def _numbered_ids(self) -> Iterator[tuple[str, int]]:
        """Yield id and row number of all rows, without their texts and vectors."""
        for batch in self._table.search().with_row_id(True).select(["id"]).to_batches():
            yield from zip(batch.column("id").to_pylist(), batch.column("_rowid").to_pylist(), strict=True)

    def _as_table(self, rows: Sequence[dict[str, Any]], vectors: NDArray[np.float32]) -> Any:
        pa = require("pyarrow")
        values = pa.array(vectors.astype(np.float32, copy=False).ravel())
        columns = {"vector": pa.FixedSizeListArray.from_arrays(values, self.store.model.dimension)}
        schema = pa.schema([field.remove_metadata() for field in self._table.schema])
        for field in schema:
            if field.name != "vector":
                columns[field.name] = pa.array([row.get(field.name) for row in rows], field.type)
        return pa.table(columns, schema=schema)


def _written(uri: str) -> contextlib.AbstractContextManager[None]:
    return in_one_line(
        f"write the store {uri}",
        "free some space or check the rights; what was written before is kept, and the same command goes on from there",
    )


def _existing(uri: str, model: StoredModel) -> Store | None:
    """The store at a place, of this model; None where a new one can be made."""
    store = Store.find(uri)
    if store is None:
        refuse_foreign_folder(uri)
    else:
        store.model.require(model, uri)
    return store


def _created(uri: str, model: StoredModel) -> Store:
    lancedb, pa = require("lancedb"), require("pyarrow")
    schema = pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("text", pa.string(), nullable=False),
            pa.field("vector", pa.list_(pa.float32(), model.dimension), metadata={MODEL_KEY: model.to_json()}),
            *(pa.field(name, pa.int64() if name == "line" else pa.string()) for name in PROVENANCE_COLUMNS),
        ],
    )
    return Store(uri=uri, table=lancedb.connect(place_of(uri)).create_table(TABLE, schema=schema))


def _record(table: Any, model: StoredModel) -> None:
    table.update_field_metadata({"path": "vector", "metadata": {MODEL_KEY: model.to_json()}})
