"""Filling a store: one writer at a time, every id once, its indices and its record up to date, old versions removed."""

import contextlib
import itertools
import logging
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfsent.errors import UserError
from selfsent.one_writer import one_writer
from selfsent.search.approximate_index import (
    NUM_QUERIES,
    DrawQueries,
    build_index,
    drop_index,
    has_index,
    measured,
)
from selfsent.search.kept_versions import keep_version as keep
from selfsent.search.known_ids import RowOwners
from selfsent.search.lance_errors import in_one_line, require
from selfsent.search.passage_rows import NUM_LOOKED_AT
from selfsent.search.store import MODEL_KEY, SEARCH_KEY, Store, connected, place_of
from selfsent.search.store_place import TABLE, is_remote, local_folder, refuse_foreign_folder
from selfsent.search.store_schema import VectorType, add_kept_columns, add_missing_columns, column_of, schema_of
from selfsent.search.store_snapshot import has_room, write_snapshot
from selfsent.search.stored_model import StoredModel
from selfsent.search.stored_rows import StoredRows, words_of
from selfsent.search.stored_search import MEASURE_AGAIN, StoredSearch
from selfsent.words import Analyser

_LOG = logging.getLogger(__name__)

WORDS_INDEX = "words"
"""Name of the index of words. Stores of earlier versions have one over the texts."""

WHOLE_WORDS: dict[str, Any] = {
    "base_tokenizer": "whitespace",
    "lower_case": False,
    "stem": False,
    "remove_stop_words": False,
    "ascii_folding": False,
    "max_token_length": None,
}
"""How that index reads the words: they are analysed already."""

_ROWS_PER_DELETION = 4096
_ROWS_PER_PIECE = 50_000

_AT_ONCE = timedelta(milliseconds=1)  # LanceDB warns of 0; readers here go on with the next version


@contextlib.contextmanager
def writing(uri: str | Path, model: StoredModel, vectors: VectorType | None = None) -> Generator["StoreWriter"]:
    """Open the store of a model to add to it, or make it; nobody else can write to it meanwhile.

    Object storage (``s3://``) knows no locks: there, do not let two processes write to one store at the same time.
    Should they, the next one that opens the store to write removes what is there twice.

    Args:
        uri: Its folder, or its URI on object storage.
        model: The record of the model whose vectors will be added.
        vectors: How a new store holds them; None for float32, or for what the store that is there has.

    Raises:
        UserError: The store was made by another model, it holds vectors of another type, another process is writing to
            it, or the place cannot be used.
    """
    name = str(uri)
    _existing(name, model, vectors)  # refuses before anything is touched
    with one_writer(local_folder(name), "store", shown=name) if not is_remote(name) else contextlib.nullcontext():
        with _written(name):
            store = _existing(name, model, vectors)  # an empty one is one
            writer = StoreWriter(_created(name, model, vectors) if store is None else store, model)
        yield writer


class StoreWriter:
    """A store that is open to add to it; what an earlier version or two writers left behind is repaired.

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
            self._note(MODEL_KEY, store.model.to_json())
        add_missing_columns(self._table)
        self.owners = self._read_owners()
        self._known_version = store.version

    @property
    def record(self) -> StoredSearch:
        """How the store is searched."""
        return self.store.record

    def update_record(self, record: StoredSearch) -> None:
        """Record how the store is searched, if that is not recorded already."""
        if record != self.record:
            with _written(self.store.uri):
                self._note(SEARCH_KEY, record.to_json())

    def key_of(self, spec: str) -> str:
        """Give the key of a source, which is recorded if it is new."""
        record, key = self.record.with_source(spec, self.store.uri)
        self.update_record(record)
        return key

    def settle_language(self, texts: Iterable[str]) -> None:
        """Choose the language of a new store by its first texts, so that words are written with the rows."""
        if self.is_unsettled:
            analyser = Analyser.of_corpus(itertools.islice(texts, NUM_LOOKED_AT))
            self.update_record(replace(self.record, analysis=analyser.to_json()))

    @property
    def is_unsettled(self) -> bool:
        """Whether the store is empty, and nobody has chosen its language."""
        return self.record.analysis is None and not len(self.store)

    def keep_columns(self, keep: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
        """Add the columns that a person keeps, as soon as there is a row with a value."""
        with _written(self.store.uri):
            add_kept_columns(self._table, keep, rows)

    def missing(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows whose id the store does not hold."""
        is_held = self.owners.holds([row["id"] for row in rows])
        return [row for row, held in zip(rows, is_held, strict=True) if not held]

    def add(self, rows: Sequence[dict[str, Any]], vectors: NDArray[np.float32], *, stale: Sequence[str] = ()) -> int:
        """Add rows at once: all of them, or none if the process dies. Those that somebody added meanwhile are left out.

        Args:
            rows: For each row its ``id``, ``text`` and what is known of the other columns.
            vectors: Their vectors, ``(rows, dimension)``.
            stale: Ids of rows that these take the place of; they go in the same write, so that a document is never
                there in two versions.

        Returns:
            How many were added.

        Raises:
            UserError: The store cannot be written to.
        """
        with _written(self.store.uri):
            self._table.checkout_latest()
            if self.store.version != self._known_version:
                self.owners = self._read_owners()
            new_mask = ~np.array(self.owners.holds([row["id"] for row in rows]), dtype=np.bool_)
            new = [row for row, is_new in zip(rows, new_mask, strict=True) if is_new]
            self._known_version = self.store.version
            if new:
                self._write(self.rows.table(new, vectors[new_mask]), stale)
                self.owners.add([row["id"] for row in new], [row.get("sources") for row in new])
                self._known_version += 1  # more, if somebody else has written as well: then read them again
        return len(new)

    def commit(self, fragments: Sequence[Any], owners: RowOwners) -> None:
        """Make files that other processes wrote beside the table part of it: all their rows at once.

        Args:
            fragments: Lance's records of the files.
            owners: Their rows, none of which the store holds.

        Raises:
            UserError: The store cannot be written to.
        """
        lance = require("lance")
        with _written(self.store.uri):
            place = f"{place_of(self.store.uri)}/{TABLE}.lance"
            lance.LanceDataset.commit(place, lance.LanceOperation.Append(fragments), read_version=self.store.version)
            self._table.checkout_latest()
            self._known_version = self.store.version
        self.owners.add_all(owners)

    def _write(self, rows: Any, stale: Sequence[str]) -> None:
        """Add rows, and in the same version remove others."""
        if not stale:
            self._table.add(rows)
            return
        merge = self._table.merge_insert("id").when_not_matched_insert_all()
        merge.when_not_matched_by_source_delete(_id_is_in(stale)).execute(rows)
        self.owners.remove(stale)

    def update(self, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
        """Give rows that are there other values in some columns.

        Args:
            rows: For each row its ``id`` and the values.
            columns: The columns; the others stay as they are.

        Raises:
            UserError: The store cannot be written to.
        """
        if rows:
            pa = require("pyarrow")
            fields = [self._table.schema.field(name) for name in ("id", *columns)]
            values = pa.table([column_of(field, rows) for field in fields], names=["id", *columns])
            with _written(self.store.uri):
                self._table.merge_insert("id").when_matched_update_all().execute(values)
                self._known_version = self.store.version

    def share(self, ids: Iterable[str], key: str) -> None:
        """Note that a source holds rows that came from another; those of which no source is known stay so."""
        names = list(ids)
        rows = [
            {"id": name, "sources": f"{owners},{key}"}
            for name, owners in zip(names, self.owners.of(names), strict=True)
            if owners is not None and key not in owners.split(",")
        ]
        self._update_sources(rows)

    def forget(self, ids: Iterable[str], key: str) -> int:
        """Remove rows that a source no longer holds; one that another source holds too loses its owner only.

        Args:
            ids: The rows; those that are not of this source are left alone.
            key: The source.

        Returns:
            How many rows were removed.
        """
        names = list(ids)
        held = {name: (owners or "").split(",") for name, owners in zip(names, self.owners.of(names), strict=True)}
        gone = [name for name, owners in held.items() if owners == [key]]
        kept = [
            {"id": name, "sources": ",".join(owner for owner in owners if owner != key)}
            for name, owners in held.items()
            if key in owners and owners != [key]
        ]
        self._update_sources(kept)
        self.remove(gone)
        return len(gone)

    def _update_sources(self, rows: Sequence[dict[str, Any]]) -> None:
        self.update(rows, ["sources"])
        self.owners.add([row["id"] for row in rows], [row["sources"] for row in rows])

    def remove(self, ids: Sequence[str]) -> None:
        """Remove rows, whatever sources hold them."""
        with _written(self.store.uri):
            for start in range(0, len(ids), _ROWS_PER_DELETION):
                self._table.delete(_id_is_in(ids[start : start + _ROWS_PER_DELETION]))
                self._known_version = self.store.version
        self.owners.remove(ids)

    def rows_of(self, key: str, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield some columns of the rows that one source holds and no other."""
        for batch in self._table.search().where(f"sources = '{key}'").select(list(columns)).to_batches():
            yield from batch.to_pylist()

    def some_rows(self, num_rows: int, columns: Sequence[str]) -> list[dict[str, Any]]:
        """Draw rows at random, the same at every call as long as nothing changes."""
        total = len(self.store)
        places = np.random.default_rng(0).choice(total, size=min(num_rows, total), replace=False)
        return self._table.take_offsets(sorted(places.tolist())).select(list(columns)).to_arrow().to_pylist()

    def finish(self, *, max_exact_rows: int, queries: DrawQueries | None = None, keep_version: bool = False) -> None:
        """Bring indices and snapshot up to date and remove former versions; change nothing if nothing has changed.

        Args:
            max_exact_rows: Vector search compares the query with every row up to this many; a larger store of which
                there can be no snapshot gets an approximate index.
            queries: Gives vectors to measure the recall of that index by; default: vectors of the store.
            keep_version: Keep the snapshot of this version when later ones are written.

        Raises:
            UserError: The store cannot be written to, or no version of it can be kept.
        """
        with _written(self.store.uri):
            if len(self.store):
                self._index_words()
            self._index_vectors(max_exact_rows, queries or self._some_vectors)
            indices = self._table.list_indices()
            is_stale = any(self._table.index_stats(index.name).num_unindexed_rows for index in indices)
            if is_stale or self.store.version != self._first_version:
                self._tidy()
            self._table.checkout_latest()
            folder = write_snapshot(self.store)
            if keep_version:
                if folder is None:
                    raise UserError(f"no version of {self.store.uri} can be kept: it is empty, remote, or too large")
                keep(folder)

    def _index_words(self) -> None:
        """Find the words of rows that have none yet, index them, and drop the indices of earlier versions."""
        known = self._analyser()
        analyser = known or Analyser.of_corpus(f"{row['title'] or ''} {row['text']}" for row in self._texts())
        rows = (
            {"id": row["id"], "words": words_of(row, analyser)} for row in self._texts(unknown_only=known is not None)
        )
        while piece := list(itertools.islice(rows, _ROWS_PER_PIECE)):
            self.update(piece, ["words"])
        indices = {index.name: index.columns for index in self._table.list_indices()}
        if not any("words" in columns for columns in indices.values()):
            config = require("lancedb.index").FTS(**WHOLE_WORDS)
            self._table.create_index("words", config=config, name=WORDS_INDEX)
        self.update_record(replace(self.record, analysis=analyser.to_json()))
        for name, columns in indices.items():
            if "text" in columns:
                self._table.drop_index(name)

    def _analyser(self) -> Analyser | None:
        """Finds the words, as recorded; None where nothing was recorded, or by a version that analyses otherwise."""
        analysis = self.record.analysis
        return Analyser.from_json(analysis) if analysis is not None and Analyser.is_current(analysis) else None

    def _texts(self, *, unknown_only: bool = False) -> Iterator[dict[str, Any]]:
        """Yield id, title and text of all rows, or of those whose words are not known."""
        found = self._table.search().select(["id", "title", "text"])
        for batch in (found.where("words IS NULL") if unknown_only else found).to_batches():
            yield from batch.to_pylist()

    def _index_vectors(self, max_exact_rows: int, queries: DrawQueries) -> None:
        """Build the approximate index where it pays, and choose its probes anew where the store has changed much.

        A search reads the snapshot where there is one, and LanceDB indexes no vectors of int8.
        """
        num_rows, record = len(self.store), self.record
        if not self.wants_index(max_exact_rows):
            if has_index(self.store):
                drop_index(self.store)
            self.update_record(replace(record, probes=None, index_recall=None, indexed_rows=0))
            return
        is_new = not has_index(self.store)
        if is_new:
            build_index(self.store)
        if is_new or record.probes is None or abs(num_rows - record.indexed_rows) > MEASURE_AGAIN * num_rows:
            self._table.optimize()  # takes rows that are new into the index
            self.update_record(measured(self.store, queries()))

    def wants_index(self, max_exact_rows: int) -> bool:
        """Whether an approximate index pays: the store is large, has no snapshot, and its vectors can be indexed."""
        return len(self.store) > max_exact_rows and not has_room(self.store) and self.store.vectors == "float32"

    def _some_vectors(self) -> NDArray[np.float32]:
        rows = self.some_rows(NUM_QUERIES, ["vector"])
        return np.array([row["vector"] for row in rows], dtype=np.float32)

    def _tidy(self) -> None:
        """Merge small files, take new rows into the indices, and remove all versions before the latest.

        On object storage, where somebody else may be writing, versions stay for LanceDB's seven days.
        """
        self._table.optimize(cleanup_older_than=None if is_remote(self.store.uri) else _AT_ONCE)

    def _read_owners(self) -> RowOwners:
        """Read the ids of all rows and the keys of their sources; a row whose id was seen already is removed."""
        owners = RowOwners()
        doubled: list[int] = []
        for names, sources, rows in self._numbered_ids():
            is_new = owners.add(names, sources)
            doubled += [row for row, new in zip(rows, is_new, strict=True) if not new]
        if doubled:
            self._table.delete(f"_rowid IN ({', '.join(map(str, doubled))})")
            _LOG.warning(
                "the store %s held %d rows twice, from writers that overlapped; the duplicates are removed",
                self.store.uri,
                len(doubled),
            )
        return owners

    def _numbered_ids(self) -> Iterator[tuple[list[str], list[str | None], list[int]]]:
        """Yield ids, sources and row numbers of all rows, some thousand at a time, without their texts and vectors."""
        for batch in self._table.search().with_row_id(True).select(["id", "sources"]).to_batches():
            names, sources, rows = (batch.column(name).to_pylist() for name in ("id", "sources", "_rowid"))
            yield names, sources, rows

    @property
    def rows(self) -> StoredRows:
        """How rows are made into a piece of the table."""
        schema = require("pyarrow").schema([field.remove_metadata() for field in self._table.schema])
        return StoredRows(schema, self._analyser())

    def _note(self, key: str, text: str) -> None:
        self._table.update_field_metadata({"path": "vector", "metadata": {key: text}})
        self._known_version = self.store.version


def _id_is_in(ids: Sequence[str]) -> str:
    names = ", ".join(f"'{name}'" for name in ids)
    return f"id IN ({names})"


def _written(uri: str) -> contextlib.AbstractContextManager[None]:
    return in_one_line(
        f"write the store {uri}",
        "free some space or check the rights; what was written before is kept, and the same command goes on from there",
    )


def _existing(uri: str, model: StoredModel, vectors: VectorType | None) -> Store | None:
    """The store at a place, of this model; None where a new one can be made."""
    store = Store.find(uri)
    if store is None:
        refuse_foreign_folder(uri)
    else:
        store.model.require(model, uri)
        if vectors not in (None, store.vectors):
            raise UserError(
                f"the store {uri} holds vectors of {store.vectors}, got --vectors {vectors}; leave --vectors out, or"
                " index into a new store"
            )
    return store


def _created(uri: str, model: StoredModel, vectors: VectorType | None) -> Store:
    schema = schema_of(model.dimension, {MODEL_KEY: model.to_json()}, vectors or "float32")
    table = connected(uri).create_table(TABLE, schema=schema)
    return Store(uri=uri, table=table)
