"""Which hashes were seen before, in little memory, for passes that keep each distinct text or row once."""

import numpy as np
from jaxtyping import Bool, UInt64

_FEWEST_SLOTS = 1 << 12
_FULLEST = 0.6  # searches for a free slot become long beyond
_MOVED_AT_ONCE = 1 << 16


class SeenHashes:
    """A set of hashes in one array: a hash stands in the slot that its lowest bits name, or in a later one.

    It takes 13 to 27 bytes a hash, and half as much again while it grows; a set of Python's takes some 90.
    """

    def __init__(self) -> None:
        self._slots = np.zeros(_FEWEST_SLOTS, dtype=np.uint64)  # 0: free
        self._num_taken = 0

    def add(self, hashes: UInt64[np.ndarray, " N"]) -> Bool[np.ndarray, " N"]:
        """Take in hashes, and tell of each whether neither the set nor the hashes before it had it.

        Args:
            hashes: Some thousand at once are fastest; 0 counts as 1.
        """
        distinct, first = np.unique(np.maximum(hashes, 1), return_index=True)
        self._make_room(len(distinct))
        is_new = np.zeros(len(hashes), dtype=np.bool_)
        is_new[first] = self._insert(distinct)
        self._num_taken += int(is_new.sum())
        return is_new

    def add_one(self, value: int) -> bool:
        """Take in one hash, and tell whether it was not there.

        Args:
            value: From 0, which counts as 1, to 2^64 - 1.
        """
        self._make_room(1)
        value, last = max(value, 1), len(self._slots) - 1
        place = value & last
        while (there := int(self._slots[place])) not in (0, value):
            place = (place + 1) & last
        self._slots[place] = value
        self._num_taken += not there
        return not there

    def _make_room(self, num_more: int) -> None:
        num_slots = len(self._slots)
        while self._num_taken + num_more > _FULLEST * num_slots:
            num_slots *= 2
        if num_slots > len(self._slots):
            old, self._slots = self._slots, np.zeros(num_slots, dtype=np.uint64)
            for start in range(0, len(old), _MOVED_AT_ONCE):
                some = old[start : start + _MOVED_AT_ONCE]
                self._insert(some[some > 0])

    def _insert(self, distinct: UInt64[np.ndarray, " N"]) -> Bool[np.ndarray, " N"]:
        """Put hashes that differ into slots, and tell of each whether it was not there."""
        last = np.uint64(len(self._slots) - 1)
        is_new = np.zeros(len(distinct), dtype=np.bool_)
        waiting, places = np.arange(len(distinct)), distinct & last
        # All that wait try their slot at once; those that find it taken, or lose it to another, try the next one.
        while len(waiting):
            wanted = distinct[waiting]
            is_known = self._slots[places] == wanted
            is_free = self._slots[places] == 0
            self._slots[places[is_free]] = wanted[is_free]
            has_won = is_free & (self._slots[places] == wanted)
            is_new[waiting[has_won]] = True
            is_left = ~(is_known | has_won)
            waiting, places = waiting[is_left], (places[is_left] + np.uint64(1)) & last
        return is_new
