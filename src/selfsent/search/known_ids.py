"""Ids of the rows of a store, so small that every worker of a cluster can hold them: 16 bytes each."""

import re
from collections.abc import Iterable

import numpy as np

_ID = re.compile(r"[0-9a-f]{32}")
_DTYPE = np.dtype("S16")


class KnownIds:
    """A set of ids, as a sorted array.

    Args:
        ids: 32 hexadecimal digits each; others, which nothing of a source has, are left out.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self._sorted = np.sort(_as_array([name for name in ids if _ID.fullmatch(name)]))

    def holds(self, ids: Iterable[str]) -> list[bool]:
        """Tell of each id whether it is one of them."""
        wanted = _as_array(ids)
        if not len(self._sorted):
            return [False] * len(wanted)
        places = np.searchsorted(self._sorted, wanted)
        return (self._sorted[np.minimum(places, len(self._sorted) - 1)] == wanted).tolist()


def _as_array(ids: Iterable[str]) -> np.ndarray:
    return np.array([bytes.fromhex(name) for name in ids], dtype=_DTYPE)
