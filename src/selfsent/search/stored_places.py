"""Where the passages of a source's documents stand in a store, as hashes: 41 bytes a passage."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from selfsent.data.heldout import hash_of_text
from selfsent.encoding import chunked
from selfsent.search.known_ids import is_packable, packed, unpacked
from selfsent.search.passage_rows import Row

_READ_AT_ONCE = 1 << 14


class StoredPlaces:
    """The passages of each document, and a hash of 64 bits of where each stands.

    Args:
        rows: Rows of the store, each with its ``id`` and its ``document``.
        place: Gives the place of a row, in values whose ``repr`` tells them apart.
    """

    def __init__(self, rows: Iterable[Row], place: Callable[[Row], tuple[Any, ...]]) -> None:
        self._place = place
        columns = [self._columns(some) for some in chunked(rows, _READ_AT_ONCE)] or [self._columns([])]
        documents, ids, places = (np.concatenate(parts) for parts in zip(*columns, strict=True))
        order = np.argsort(documents, kind="stable")
        self._documents, self._ids, self._places = documents[order], ids[order], places[order]
        self._is_met = np.zeros(len(order), dtype=np.bool_)

    def _columns(self, rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        known = [row for row in rows if is_packable(row["id"])]
        places = np.array([self.hash_of(row) for row in known], dtype=np.uint64)
        return _hashes(row["document"] for row in known), packed(row["id"] for row in known), places

    def hash_of(self, row: Row) -> int:
        """Hash the place of a row."""
        return hash_of_text(repr(self._place(row)))

    def meet(self, documents: Sequence[str]) -> list[dict[str, int] | None]:
        """Map the ids of each document's passages to the hashes of their places; None for an unknown document.

        The documents count as met from then on (``have_vanished``).
        """
        found: list[dict[str, int] | None] = []
        for start, end in self._ranges(documents):
            self._is_met[start:end] = True
            ids = unpacked(self._ids[start:end])
            found.append(dict(zip(ids, self._places[start:end].tolist(), strict=True)) or None)
        return found

    def have_vanished(self, documents: Sequence[str]) -> list[bool]:
        """Tell of documents whether they are here and were not met."""
        return [end > start and not self._is_met[start] for start, end in self._ranges(documents)]

    def _ranges(self, documents: Sequence[str]) -> Iterable[tuple[int, int]]:
        wanted = _hashes(documents)
        first, last = (np.searchsorted(self._documents, wanted, side=side) for side in ("left", "right"))
        return zip(first.tolist(), last.tolist(), strict=True)

    def num_vanished(self) -> int:
        """Count the documents that were not met."""
        return len(np.unique(self._documents[~self._is_met]))


def _hashes(documents: Iterable[str]) -> np.ndarray:
    """Hash names of documents to 128 bits: two of the same hash would be one document."""
    names = (name.encode("utf8", "surrogatepass") for name in documents)
    return np.array([hashlib.blake2b(name, digest_size=16).digest() for name in names], dtype="S16")
