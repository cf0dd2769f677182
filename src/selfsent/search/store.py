"""A store of texts and their vectors: one LanceDB table, on disk or on object storage.

A row is a text with its vector and where it came from. The table's own schema records the model that made the vectors,
so a store is never queried with another. Tables are versioned: a write is there as a whole or not at all, whenever the
process dies. ``selfsent.search.store_writer`` fills it, and ``selfsent.search.ranking`` ranks what it finds.
"""

import contextlib
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from selfsent.errors import UserError
from selfsent.search.exact_scan import Vectors, nearest_rows
from selfsent.search.lance_errors import in_one_line, reason_of, require
from selfsent.search.store_place import TABLE, check_place, is_remote, local_folder, no_store, store_in
from selfsent.search.store_schema import VectorType, document_names
from selfsent.search.stored_model import StoredModel
from selfsent.search.stored_search import StoredSearch
from selfsent.words import Analyser

Mode = Literal["vector", "text", "hybrid"]
MODES: tuple[Mode, ...] = ("vector", "text", "hybrid")

MODEL_KEY = "selfsent.model"
"""Where the record of the model is: in the metadata of the column ``vector``; in old stores, in those of the table."""

SEARCH_KEY = "selfsent.search"
"""Where the record of how the store is searched is; old stores have none."""

_BM25 = 2.2  # LanceDB's score is BM25 with k1 = 1.2, times k1 + 1
_NUM_TRIES = 5  # a writer may remove the version that is being read; the next one is there already
_BYTES_OF_VERSIONS = 1 << 26
_VALID_FIELDS = re.compile(r" Valid fields are .*")
_FOUND_COLUMNS = ("id", "document", "sources")

Found = TypeVar("Found")
Row = dict[str, Any]


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

        Args:
            uri: Its folder or URI, or the folder of a ``build`` that has a store in it.

        Raises:
            UserError: There is none, or it is not a store.
        """
        store = cls.find(store_in(uri))
        if store is None:
            raise no_store(uri)
        return store

    @classmethod
    def find(cls, uri: str | Path) -> "Store | None":
        """Open the store at a place; None if there is none, or only the beginnings of one.

        Raises:
            UserError: The place is something else, or the store is damaged.
        """
        name = str(uri)
        check_place(name)
        if not is_remote(name) and not local_folder(name).is_dir():
            return None
        with in_one_line(f"open the store {name}", "name another, or make it anew with `selfsent index`"):
            try:
                table = connected(name).open_table(TABLE)
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

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""
        return list(self.table.schema.names)

    @property
    def vectors(self) -> VectorType:
        """The type of its vectors: ``float32`` or ``int8``."""
        return "int8" if str(self.table.schema.field("vector").type.value_type) == "int8" else "float32"

    @property
    def record(self) -> StoredSearch:
        """How the store is searched, as of the version that is being read."""
        recorded = (self.table.schema.field("vector").metadata or {}).get(SEARCH_KEY.encode())
        return StoredSearch() if recorded is None else StoredSearch.from_json(recorded.decode())

    @property
    def analyser(self) -> Analyser | None:
        """Finds the words that the store is searched by; None in a store of an earlier version.

        Raises:
            UserError: It was indexed by a version that analyses otherwise.
        """
        analysis = self.record.analysis
        return None if analysis is None or "words" not in self._indexed() else Analyser.from_json(analysis)

    def document_names(self) -> set[str]:
        """The ids of the documents; none where texts are rows of their own."""
        columns = [name for name in ("document",) if name in self.columns]
        return document_names(self.table.search().select(columns).to_arrow()) if columns else set()

    def read(self, read: Callable[[], Found]) -> Found:
        """Read the latest version; where a writer has removed it meanwhile, the one that is the latest then.

        Raises:
            UserError: The store is damaged, or what ``read`` raises.
        """
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

    def nearest(self, vector: NDArray[np.float32], limit: int, where: str | None = None) -> list[Row]:
        """Find the rows of the highest cosines; rows whose vector is zero have no direction and are never found.

        Vectors of int8 are compared one by one, since LanceDB compares none. Those of float32 are searched by the
        approximate index where there is one whose recall is known.

        Args:
            vector: Vector of the query.
            limit: How many rows at most.
            where: An expression of SQL over the columns that rows have to meet.

        Returns:
            ``_rowid``, ``id``, ``document``, ``sources`` and ``score`` of each, best first.
        """
        if self.vectors == "int8":
            return self._scanned(vector, limit, where)
        found = self.table.search(vector, query_type="vector", vector_column_name="vector").distance_type("cosine")
        probes = self.record.probes
        if probes is None:
            found = found.bypass_vector_index()
        elif where is None:
            found = found.nprobes(probes)
        else:  # as many more as it takes to find enough rows that meet the filter
            found = found.maximum_nprobes(0).minimum_nprobes(probes)
        return [_scored(row, 1 - row["_distance"]) for row in self._rows(found, "_distance", limit, where)]

    def with_words(self, query: str, limit: int, where: str | None = None) -> list[Row]:
        """Find the rows of the highest BM25 scores.

        Args:
            query: The query.
            limit: How many rows at most.
            where: As in ``nearest``.

        Returns:
            As ``nearest``.

        Raises:
            UserError: An interrupted indexing left no index of words.
        """
        indexed = self._indexed()
        if not indexed & {"words", "text"}:
            raise UserError(f"the store {self.uri} has no index of words yet; run `selfsent index` again to finish it")
        analyser = self.analyser
        words = query if analyser is None else " ".join(analyser.query(query))
        if not words:
            return []
        match = require("lancedb.query").MatchQuery(words, "text" if analyser is None else "words")
        found = self.table.search(match, query_type="fts")
        unit = 1 if analyser is None else _BM25
        return [_scored(row, row["_score"] / unit) for row in self._rows(found, "_score", limit, where)]

    def vector_blocks(self, where: str | None = None) -> Iterator[tuple[NDArray[np.int64], Vectors]]:
        """Yield numbers of rows and their vectors, batch by batch.

        Args:
            where: As in ``nearest``.
        """
        found = self.table.search().with_row_id(True).select(["vector"])
        for batch in (found if where is None else found.where(where)).to_batches():
            values = batch.column("vector").flatten().to_numpy(zero_copy_only=False)
            yield batch.column("_rowid").to_numpy().astype(np.int64), values.reshape(-1, self.model.dimension)

    def fetch(self, row_ids: Sequence[int], columns: Sequence[str]) -> dict[str, Row]:
        """Read some columns of some rows.

        Args:
            row_ids: Their ``_rowid``.
            columns: Names of the columns, ``id`` among them.

        Returns:
            The rows by their ``id``.
        """
        if not row_ids:
            return {}
        rows = self.table.take_row_ids(list(row_ids)).select(list(columns)).to_arrow().to_pylist()
        return {row["id"]: row for row in rows}

    def _scanned(self, vector: NDArray[np.float32], limit: int, where: str | None) -> list[Row]:
        """Compare a query with the vectors of all rows that meet a filter."""
        if not vector.any():
            return []
        with self._refusing(where):
            ((numbers, cosines),) = nearest_rows(self.vector_blocks(where), vector[None], limit)
        known = [name for name in _FOUND_COLUMNS if name in self.columns]
        taken = self.table.take_row_ids(numbers.tolist()).with_row_id().select(known) if len(numbers) else None
        rows = {} if taken is None else {row["_rowid"]: row for row in taken.to_arrow().to_pylist()}
        scored = zip(numbers.tolist(), cosines.tolist(), strict=True)
        return [_scored(rows[number] | {"_distance": 1 - cosine}, cosine) for number, cosine in scored]

    def _rows(self, found: Any, score: str, limit: int, where: str | None) -> list[Row]:
        known = [name for name in _FOUND_COLUMNS if name in self.table.schema.names]
        found = found.limit(limit).with_row_id(True).select([*known, score])
        with self._refusing(where):
            return (found if where is None else found.where(where, prefilter=True)).to_arrow().to_pylist()

    @contextlib.contextmanager
    def _refusing(self, where: str | None) -> Generator[None]:
        """Say in one line that a filter cannot be used."""
        try:
            yield
        except ValueError as error:
            if where is None:
                raise
            reason = _VALID_FIELDS.sub("", reason_of(error)).rstrip(".")
            raise UserError(
                f"the filter {where!r} cannot be used: {reason}; the columns are"
                f" {', '.join(name for name in self.columns if name not in ('vector', 'words', 'sources'))}, as in"
                " \"file LIKE 'guide/%'\""
            ) from error

    def _indexed(self) -> set[str]:
        """Columns that have an index."""
        return {column for index in self.table.list_indices() for column in index.columns}


def connected(uri: str) -> Any:
    """Connect LanceDB to the place of a store.

    LanceDB keeps the list of files of each version that it has seen, up to 1 GiB of them: an indexing, each of whose
    writes makes a version of one more file, came to 0.5 GiB after 1,500. Here that is bounded.
    """
    lancedb = require("lancedb")
    return lancedb.connect(place_of(uri), session=lancedb.Session(metadata_cache_size_bytes=_BYTES_OF_VERSIONS))


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


def _scored(row: Row, score: float) -> Row:
    return {**row, "score": float(score)}
