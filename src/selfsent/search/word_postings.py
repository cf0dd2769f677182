"""BM25 over a store's words, from arrays that are mapped into memory: which rows hold a word, and how often."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_K1, _B = 1.2, 0.75  # LanceDB's, and Lucene's


@dataclass(frozen=True, kw_only=True)
class WordPostings:
    """Which rows hold a word.

    Args:
        keys: A number for each word, sorted (``key_of``).
        starts: Where the rows of each word begin in ``rows``; one more entry than words.
        rows: Rows of all words, those of a word one after another.
        counts: How often the word is in each of these rows.
        lengths: Words of each row of the store.
    """

    keys: NDArray[np.uint64]
    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    counts: NDArray[np.int32]
    lengths: NDArray[np.int32]

    def scores(self, words: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Score the rows that hold a word of a query; a word that is asked for twice counts twice.

        Args:
            words: The words.

        Returns:
            Rows in order, and the BM25 score of each.
        """
        num_rows = len(self.lengths)
        totals = np.zeros(num_rows)
        mean_length = self.lengths.sum(dtype=np.int64) / max(num_rows, 1)
        for word, num_asked in Counter(words).items():
            place = int(np.searchsorted(self.keys, np.uint64(key_of(word))))
            if place == len(self.keys) or int(self.keys[place]) != key_of(word):
                continue
            span = slice(int(self.starts[place]), int(self.starts[place + 1]))
            rows, counts = self.rows[span], self.counts[span].astype(np.float64)
            weight = np.log1p((num_rows - len(rows) + 0.5) / (len(rows) + 0.5))
            held_back = _K1 * (1 - _B + _B * self.lengths[rows] / mean_length)
            totals[rows] += num_asked * weight * counts / (counts + held_back)
        found = np.flatnonzero(totals)
        return found, totals[found].astype(np.float32)


def key_of(word: str) -> int:
    """Number a word by the first 64 bits of a hash; of a million words, two are the same once in 37 million times."""
    return int.from_bytes(hashlib.blake2b(word.encode("utf8", "surrogatepass"), digest_size=8).digest(), "little")


class PostingsBuilder:
    """Gathers the words of rows, batch by batch.

    Raises:
        UserError: pyarrow is not installed.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._pairs: list[NDArray[np.int64]] = []
        self._counts: list[NDArray[np.int32]] = []
        self._lengths: list[NDArray[np.int32]] = []
        self._num_rows = 0

    def add(self, words: Any) -> None:
        """Take in rows.

        Args:
            words: An Arrow array of the words of each row, with spaces between them; null where there are none.
        """
        import pyarrow.compute as pc  # noqa: PLC0415 only writing needs it

        split: Any = pc.split_pattern(words, " ")  # pyright: ignore[reportAttributeAccessIssue] made at import
        parents = pc.list_parent_indices(split).to_numpy()  # pyright: ignore[reportAttributeAccessIssue]
        coded = pc.list_flatten(split).dictionary_encode()  # pyright: ignore[reportAttributeAccessIssue]
        known = coded.dictionary.to_pylist()
        numbers = np.array([self._numbers.setdefault(word, len(self._numbers)) for word in known], dtype=np.int64)
        codes = numbers[coded.indices.to_numpy()] if known else np.zeros(0, dtype=np.int64)
        rows = parents.astype(np.int64) + self._num_rows
        held = np.array([bool(word) for word in known], dtype=bool)[coded.indices.to_numpy()] if known else codes > 0
        pairs, counts = np.unique((codes << 32 | rows)[held], return_counts=True)
        self._pairs.append(pairs)
        self._counts.append(counts.astype(np.int32))
        self._lengths.append(np.bincount(parents[held], minlength=len(words)).astype(np.int32))
        self._num_rows += len(words)

    def postings(self) -> WordPostings:
        """Sort what was gathered by word."""
        keys = np.array([key_of(word) for word in self._numbers], dtype=np.uint64)
        order = np.argsort(keys)
        place = np.empty(len(keys), dtype=np.int64)
        place[order] = np.arange(len(keys))
        pairs = np.concatenate([np.zeros(0, np.int64), *self._pairs])
        counts = np.concatenate([np.zeros(0, np.int32), *self._counts])
        words, rows = place[pairs >> 32], pairs & 0xFFFFFFFF
        by_word = np.lexsort((rows, words))
        starts = np.concatenate([[0], np.cumsum(np.bincount(words, minlength=len(keys)))]).astype(np.int64)
        return WordPostings(
            keys=keys[order],
            starts=starts,
            rows=rows[by_word].astype(np.int32),
            counts=counts[by_word],
            lengths=np.concatenate([np.zeros(0, np.int32), *self._lengths]),
        )
