"""Naming texts by their content, so that the same input gives the same rows however often it is read."""

import hashlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, UInt64

NAMED_AT_ONCE = 4096
"""Texts that a caller names at once: enough to look them up together."""

_NUM_BYTES = 16
_FEWEST_SLOTS = 1 << 12
_FULLEST = 0.6  # searches for a free slot become long beyond
_MOVED_AT_ONCE = 1 << 16


class TextIds:
    """Names texts in order: the hash of a text's content and of how many equal texts came before it in the same pass.

    A text keeps its id when other texts are added, removed or moved around it. Equal texts differ in their count only.
    One pass remembers 13 to 27 bytes for each distinct text (half as much again while the table grows), and some 150
    for each that occurs again. Texts are told apart by 64 bits of their hash: among 100 million texts there are two
    alike by chance with a probability of 0.0003, and then the second is named as if it were a repetition.
    """

    def __init__(self) -> None:
        self._seen = _Seen()
        self._num_repetitions: dict[bytes, int] = {}

    def __call__(self, texts: Sequence[str]) -> list[str]:
        """Name the next texts: 32 hexadecimal digits each."""
        contents = [_hash(text.encode("utf8", "surrogatepass")) for text in texts]
        is_new = self._seen.add(np.frombuffer(b"".join(contents), dtype="<u8")[::2].astype(np.uint64))
        return [
            content.hex() if new else self._repeated(content) for content, new in zip(contents, is_new, strict=True)
        ]

    def _repeated(self, content: bytes) -> str:
        occurrence = self._num_repetitions.get(content, 0) + 1
        self._num_repetitions[content] = occurrence
        return _hash(content + str(occurrence).encode()).hex()


class _Seen:
    """A set of hashes in one array: a hash stands in the slot that its lowest bits name, or in a later one."""

    def __init__(self) -> None:
        self._slots = np.zeros(_FEWEST_SLOTS, dtype=np.uint64)  # 0: free
        self._num_taken = 0

    def add(self, hashes: UInt64[np.ndarray, " N"]) -> Bool[np.ndarray, " N"]:
        """Take in hashes, and tell of each whether neither the set nor the hashes before it had it."""
        distinct, first = np.unique(np.maximum(hashes, 1), return_index=True)
        self._make_room(len(distinct))
        is_new = np.zeros(len(hashes), dtype=np.bool_)
        is_new[first] = self._insert(distinct)
        self._num_taken += int(is_new.sum())
        return is_new

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


def _hash(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_NUM_BYTES).digest()
