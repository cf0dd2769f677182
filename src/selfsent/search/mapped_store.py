"""A store read from its snapshot: rows, vectors and words in files that are mapped into memory, without LanceDB.

It answers what `selfsent.search.store.Store` answers, from the same version of the table; vector search compares the
query with every row.
"""

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import ipc

from selfsent.errors import UserError
from selfsent.search.exact_scan import ROUNDING, Vectors, products
from selfsent.search.kept_versions import folder_of_version
from selfsent.search.row_filter import parse_filter
from selfsent.search.store_schema import document_names
from selfsent.search.store_snapshot import (
    ABOUT,
    FORMAT,
    NORMS,
    POSTINGS,
    ROWS,
    UNREAD,
    VECTORS,
    TableState,
    postings_file,
    snapshot_folder,
    table_state,
)
from selfsent.search.stored_model import StoredModel
from selfsent.search.stored_search import StoredSearch
from selfsent.search.word_postings import WordPostings
from selfsent.words import Analyser

_FOUND_COLUMNS = ("id", "document", "sources")

Found = TypeVar("Found")
Row = dict[str, Any]


class MappedStore:
    """The snapshot of a store.

    Args:
        uri: The store's folder.
        state: The version of the table that the snapshot is of.
        folder: The snapshot's folder.
    """

    def __init__(self, uri: str, state: TableState, folder: Path) -> None:
        about = json.loads((folder / ABOUT).read_text("utf8"))
        if about["format"] != FORMAT or any(
            (folder / name).stat().st_size != size for name, size in about["sizes"].items()
        ):
            raise ValueError(f"{folder} is of another format or not whole")
        self.uri = uri
        self.version = int(about["version"])
        self.model = StoredModel.from_json(about["model"])
        self.record = StoredSearch.from_json(about["search"])
        self._state = state
        self._num_rows = int(about["num_rows"])
        self._vectors: Vectors = np.asarray(np.load(folder / VECTORS, mmap_mode="r"))
        self._norms: NDArray[np.float32] = np.load(folder / NORMS)
        self._words = WordPostings(
            **{name: np.asarray(np.load(folder / postings_file(name), mmap_mode="r")) for name in POSTINGS}
        )
        self._rows: Any = ipc.open_file(pa.memory_map(str(folder / ROWS))).read_all()

    @classmethod
    def find(cls, uri: str) -> "MappedStore | None":
        """Open the snapshot of a store's latest version; None if there is no whole one."""
        state = table_state(uri)
        folder = None if state is None else snapshot_folder(uri, state)
        if state is None or folder is None:
            return None
        try:
            return cls(uri, state, folder)
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
            return None

    @classmethod
    def of_version(cls, uri: str, version: int) -> "MappedStore":
        """Open the snapshot of a version that was kept, or of the latest.

        Raises:
            UserError: There is none, or it is of another format.
        """
        folder = folder_of_version(uri, version)
        state = table_state(uri)
        try:
            assert state is not None, "a store with versions has a table"  # noqa: S101 our own invariant
            return cls(uri, state, folder)
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            raise UserError(
                f"version {version} of {uri} cannot be read ({error}); drop it, and keep one anew"
            ) from error

    @property
    def is_latest(self) -> bool:
        """Whether the table is still at the version that the snapshot is of."""
        return table_state(self.uri) == self._state

    def __len__(self) -> int:
        return self._num_rows

    @property
    def columns(self) -> list[str]:
        """The names of the table's columns."""
        return [*self._rows.schema.names, *UNREAD]

    @cached_property
    def analyser(self) -> Analyser | None:
        """Finds the words that the store is searched by.

        Raises:
            UserError: It was indexed by a version that analyses otherwise.
        """
        return None if self.record.analysis is None else Analyser.from_json(self.record.analysis)

    def document_names(self) -> set[str]:
        """The ids of the documents; none where texts are rows of their own."""
        return document_names(self._rows)

    def read(self, read: Callable[[], Found]) -> Found:
        """Read: a snapshot stays as it is for as long as it is open."""
        return read()

    def can_filter(self, where: str) -> bool:
        """Whether a filter is among those that can be applied here; LanceDB knows more."""
        return parse_filter(where, self._rows.schema) is not None

    def nearest(self, vector: NDArray[np.float32], limit: int, where: str | None = None) -> list[Row]:
        """Find the rows of the highest cosines, as ``Store.nearest`` does.

        Args:
            vector: Vector of the query.
            limit: How many rows at most.
            where: As in ``Store.nearest``.
        """
        has_direction = self._norms > 0
        is_meant = has_direction if where is None else has_direction & self._meeting(where)
        rows = np.flatnonzero(is_meant)
        length = float(np.linalg.norm(vector))
        if not len(rows) or not length:
            return []
        cosines = products(self._vectors, vector)[rows] / (self._norms[rows] * np.float32(length))
        if len(rows) > limit:
            least = np.partition(cosines, len(rows) - limit)[len(rows) - limit]
            rows = rows[cosines >= least - ROUNDING]  # these are compared again in float64
        exact = self._cosines(vector, rows)
        order = np.lexsort((rows, -exact))[:limit]
        return self._found(rows[order], exact[order], "_distance")

    def with_words(self, query: str, limit: int, where: str | None = None) -> list[Row]:
        """Find the rows of the highest BM25 scores, as ``Store.with_words`` does.

        Args:
            query: The query.
            limit: How many rows at most.
            where: As in ``Store.nearest``.
        """
        analyser = self.analyser
        words = [] if analyser is None else analyser.query(query)
        rows, scores = self._words.scores(words)
        if where is not None:
            is_meant = self._meeting(where)[rows]
            rows, scores = rows[is_meant], scores[is_meant]
        order = np.lexsort((rows, -scores))[:limit]
        return self._found(rows[order], scores[order], "_score")

    def fetch(self, row_ids: Sequence[int], columns: Sequence[str]) -> dict[str, Row]:
        """Read some columns of some rows, as ``Store.fetch`` does.

        Args:
            row_ids: Their ``_rowid``.
            columns: Names of the columns, ``id`` among them.
        """
        known = [name for name in columns if name not in UNREAD]
        rows = self._rows.select(known).take(_indices(row_ids)).to_pylist()
        if "vector" in columns:
            rows = [
                row | {"vector": self._vectors[number].astype(np.float32)}
                for row, number in zip(rows, row_ids, strict=True)
            ]
        return {row["id"]: row for row in rows}

    def _cosines(self, vector: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Cosines of rows; equal vectors have equal ones, wherever they stand."""
        query = vector.astype(np.float64)
        products = (self._vectors[rows] * query).sum(axis=1)
        return (products / (self._norms[rows] * np.linalg.norm(query))).astype(np.float32)

    def _meeting(self, where: str) -> NDArray[np.bool_]:
        condition = parse_filter(where, self._rows.schema)
        assert condition is not None, "asked by can_filter"  # noqa: S101 our own invariant
        return condition(self._rows)

    def _found(self, rows: NDArray[np.int64], scores: NDArray[np.float32], by: str) -> list[Row]:
        names = [name for name in _FOUND_COLUMNS if name in self._rows.schema.names]
        values = self._rows.select(names).take(_indices(rows)).to_pylist()
        scored = zip(values, rows.tolist(), scores.tolist(), strict=True)
        return [row | {"_rowid": number, by: score, "score": score} for row, number, score in scored]


def _indices(rows: Sequence[int] | NDArray[np.int64]) -> Any:
    """Numbers of rows for Arrow, whose own way from numpy imports pandas: a quarter of a second."""
    numbers = np.asarray(rows, dtype=np.int64)
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers)])
