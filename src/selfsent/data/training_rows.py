"""Training rows of a source: each distinct row once, with counts of what was left out and cut."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from selfsent.data.heldout import hash_of_text
from selfsent.data.seen_hashes import SeenHashes
from selfsent.data.source import Source
from selfsent.encoding import uncut_ids
from selfsent.errors import UserError

_ROWS_A_BATCH = 1000
_SEPARATOR = "\x1f"

TextRow = Mapping[str, Any]


def texts_of(source: Source) -> Iterator[dict[str, str]]:
    """Every text of every row, one a row."""
    return ({"text": text} for text in source.texts())


class TrainingRows:
    """Rows of texts, each distinct row once; repeated ones, and texts that will be cut, are counted.

    Iterating reads the rows anew. Hashes of the distinct rows are held in memory (`SeenHashes`).

    Args:
        rows: Makes one pass over the rows.
        columns: Their columns, in the order a loss takes them.
        tokenizer: The model's, to count cut texts; ``None`` does not count them.
        max_seq_length: Tokens a text may have, special ones included; ``None`` for no limit.

    Raises:
        UserError: After a pass without any row.
    """

    def __init__(
        self,
        rows: Callable[[], Iterable[TextRow]],
        columns: Sequence[str],
        *,
        tokenizer: Any = None,
        max_seq_length: int | None = None,
    ) -> None:
        self.columns = tuple(columns)
        self._rows, self._tokenizer, self._max_seq_length = rows, tokenizer, max_seq_length
        self.num_rows = self.num_repeated = self.num_texts = self.num_cut = 0

    def __iter__(self) -> Iterator[TextRow]:
        self.num_rows = self.num_repeated = self.num_texts = self.num_cut = 0
        distinct = self._distinct(iter(self._rows()))
        while batch := list(islice(distinct, _ROWS_A_BATCH)):
            self._count_cut([row[column] for row in batch for column in self.columns if isinstance(row[column], str)])
            yield from batch
        if not self.num_rows:
            raise UserError("the source holds no row to train on; name one with at least two texts")

    def _distinct(self, rows: Iterator[TextRow]) -> Iterator[TextRow]:
        seen = SeenHashes()
        while batch := list(islice(rows, _ROWS_A_BATCH)):
            texts = (_SEPARATOR.join(str(row[column]) for column in self.columns) for row in batch)
            is_new = seen.add(np.fromiter(map(hash_of_text, texts), dtype=np.uint64, count=len(batch)))
            self.num_repeated += int((~is_new).sum())
            self.num_rows += int(is_new.sum())
            yield from (row for row, new in zip(batch, is_new, strict=True) if new)

    def _count_cut(self, texts: list[str]) -> None:
        self.num_texts += len(texts)
        if self._tokenizer is None or self._max_seq_length is None or not texts:
            return
        ids = uncut_ids(self._tokenizer, texts, has_ends=True)
        self.num_cut += sum(len(tokens) > self._max_seq_length for tokens in ids)

    def notes(self) -> list[str]:
        """Say what was kept, what was left out and what is cut, after a pass."""
        notes = [f"{self.num_rows:,} rows of {', '.join(self.columns)}; {self.num_repeated:,} repeated rows left out"]
        if self.num_cut:
            share = 100 * self.num_cut / self.num_texts
            notes.append(
                f"{self.num_cut:,} of {self.num_texts:,} texts ({share:.1f}%) are longer than {self._max_seq_length}"
                " tokens and are cut; raise max_seq_length to keep more of them"
            )
        return notes
