"""Ids of the rows of a store, so small that every worker of a cluster can hold them: 17 bytes each."""

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

_ID = re.compile(r"[0-9a-f]{32}")
_IDS = re.compile(r"[0-9a-f]*")
_DTYPE = np.dtype("S16")
_PACKED_AT_ONCE = 1 << 16
_FEWEST_RECENT = 1 << 16
_RECENT_SHARE = 32
_REMOVED = -1


class KnownIds:
    """A set of ids, as a sorted array.

    Args:
        ids: 32 hexadecimal digits each; others, which nothing of a source has, are left out.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self._sorted = np.sort(packed(filter(is_packable, ids)))
        self._is_met = np.zeros(len(self._sorted), dtype=np.bool_)

    def holds(self, ids: Iterable[str]) -> list[bool]:
        """Tell of each id whether it is one of them."""
        return _held(self._sorted, packed(ids))[1].tolist()

    def meet(self, ids: Iterable[str]) -> None:
        """Take note of ids that were met; others than those of the set have no effect."""
        if len(self._sorted):
            places, is_held = _held(self._sorted, packed(ids))
            self._is_met[places[is_held]] = True

    def unmet(self) -> Iterator[str]:
        """Yield the ids of the set that were not met."""
        return unpacked(self._sorted[~self._is_met])


class RowOwners:
    """The ids of the rows of a store, each with the sources that hold it, in 20 bytes a row.

    What was added last is in a dict, which is at most a thirty-second of the whole, or 65,536 rows. Ids of the first
    versions, which are not 32 hexadecimal digits, stay in it.
    """

    def __init__(self) -> None:
        self._ids = np.empty(0, dtype=_DTYPE)  # sorted
        self._codes = np.empty(0, dtype=np.int32)
        self._owners: list[str | None] = []
        self._code_of: dict[str | None, int] = {}
        self._recent: dict[str, str | None] = {}
        self._num_removed = 0
        self._num_old = 0  # entries of `_recent` whose ids are not 32 hexadecimal digits

    def __len__(self) -> int:
        return len(self._ids) - self._num_removed + len(self._recent)

    def __iter__(self) -> Iterator[str]:
        """Yield the ids; rows must not be added or removed meanwhile."""
        yield from unpacked(self._ids[self._codes != _REMOVED])
        yield from self._recent

    def holds(self, ids: Sequence[str]) -> list[bool]:
        """Tell of each id whether there is a row with it; some hundred at once are fastest."""
        return [held or name in self._recent for name, held in zip(ids, self._places(ids)[1].tolist(), strict=True)]

    def of(self, ids: Sequence[str]) -> list[str | None]:
        """Give the sources of rows: keys with commas between them; None where they are not known, or no row is."""
        places, is_held = self._places(ids)
        return [
            self._owners[self._codes[place]] if held else self._recent.get(name)
            for name, place, held in zip(ids, places.tolist(), is_held.tolist(), strict=True)
        ]

    def add(self, ids: Sequence[str], owners: Sequence[str | None]) -> list[bool]:
        """Note the sources of rows, and tell of each whether there was no row with its id."""
        places, is_held = self._places(ids)
        is_new: list[bool] = []
        for name, owner, place, held in zip(ids, owners, places.tolist(), is_held.tolist(), strict=True):
            is_new.append(not held and name not in self._recent)
            if held:
                self._codes[place] = self._code(owner)
            else:
                self._recent[name] = owner
        if len(self._recent) - self._num_old > max(_FEWEST_RECENT, len(self._ids) // _RECENT_SHARE):
            self._take_in_recent()
        return is_new

    def add_all(self, others: "RowOwners") -> None:
        """Note all rows that others hold."""
        names = iter(others)
        while some := list(itertools.islice(names, _PACKED_AT_ONCE)):
            self.add(some, others.of(some))

    def remove(self, ids: Sequence[str]) -> None:
        """Forget rows; ids that no row has are passed over."""
        places, is_held = self._places(ids)
        gone = np.unique(places[is_held])
        self._codes[gone] = _REMOVED
        self._num_removed += len(gone)
        for name in ids:
            self._recent.pop(name, None)

    def _places(self, ids: Sequence[str]) -> tuple[Int[np.ndarray, " N"], NDArray[np.bool_]]:
        """Find ids in the array: their places, and which of them are there."""
        if not len(self._ids):
            return np.zeros(len(ids), dtype=np.intp), np.zeros(len(ids), dtype=np.bool_)
        is_own = np.array(_are_packable(ids), dtype=np.bool_)
        places, is_held = _held(self._ids, packed(ids if is_own.all() else np.where(is_own, ids, "0" * 32).tolist()))
        return places, is_held & is_own & (self._codes[places] != _REMOVED)

    def ids_of(self, key: str) -> Iterator[str]:
        """Yield the ids of the rows that a source holds, alone or with others."""
        codes = [code for owner, code in self._code_of.items() if owner is not None and key in owner.split(",")]
        yield from unpacked(self._ids[np.isin(self._codes, codes)])
        yield from (name for name, owner in self._recent.items() if owner is not None and key in owner.split(","))

    def _code(self, owner: str | None) -> int:
        if owner not in self._code_of:
            self._code_of[owner] = len(self._owners)
            self._owners.append(owner)
        return self._code_of[owner]

    def _take_in_recent(self) -> None:
        """Move what was added last into the array."""
        names = list(filter(is_packable, self._recent))
        ids, codes = packed(names), np.array([self._code(self._recent.pop(name)) for name in names], dtype=np.int32)
        order = np.argsort(ids)
        ids, codes = ids[order], codes[order]
        stays = self._codes != _REMOVED
        kept, kept_codes = self._ids[stays], self._codes[stays]
        places = np.searchsorted(kept, ids)
        self._ids = np.insert(kept, places, ids)
        self._codes = np.insert(kept_codes, places, codes)
        self._num_removed = 0
        self._num_old = len(self._recent)


def is_packable(name: str) -> bool:
    """Whether an id is 32 hexadecimal digits; ids of the first versions are not."""
    return _ID.fullmatch(name) is not None


def _are_packable(ids: Sequence[str]) -> list[bool]:
    if set(map(len, ids)) <= {32} and _IDS.fullmatch("".join(ids)):  # all of them, as nearly always
        return [True] * len(ids)
    return list(map(is_packable, ids))


def packed(ids: Iterable[str]) -> NDArray[np.bytes_]:
    """Pack ids of 32 hexadecimal digits into an array, 16 bytes each."""
    names = iter(ids)
    parts = [np.empty(0, dtype=_DTYPE)]
    while some := list(itertools.islice(names, _PACKED_AT_ONCE)):
        parts.append(np.frombuffer(bytes.fromhex("".join(some)), dtype=_DTYPE))
    return np.concatenate(parts)


def unpacked(ids: NDArray[np.bytes_]) -> Iterator[str]:
    """Yield the ids of an array that ``packed`` made."""
    for start in range(0, len(ids), _PACKED_AT_ONCE):
        some = ids[start : start + _PACKED_AT_ONCE].tobytes().hex()
        yield from (some[place : place + 32] for place in range(0, len(some), 32))


def _held(ids: NDArray[np.bytes_], wanted: NDArray[np.bytes_]) -> tuple[Int[np.ndarray, " N"], NDArray[np.bool_]]:
    """Find ids in a sorted array: for each a place, and whether it stands there."""
    if not len(ids):
        return np.zeros(len(wanted), dtype=np.intp), np.zeros(len(wanted), dtype=np.bool_)
    places = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return places, ids[places] == wanted
