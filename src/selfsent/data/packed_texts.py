"""Short texts packed to rows of full length, so that little of a batch is padding and every position is learned."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from selfsent.encoding import uncut_ids

_ROWS_A_BATCH = 1000


class PackedTexts:
    """Rows of ``text`` whose neighbours are joined by a space, as many as fit.

    A text is never split: one that is too long by itself stays alone, and is cut by the model. The order is kept.

    Source: RoBERTa (Liu et al., 2019, arXiv 1907.11692), Section 4.2, "full-sentences". Differs: nothing marks the end
    of a document, which a source does not know.

    Args:
        rows: Rows with a column ``text``.
        tokenizer: The model's.
        max_seq_length: Tokens a row may have, special ones included.
    """

    columns = ("text",)

    def __init__(self, rows: Iterable[Mapping[str, Any]], *, tokenizer: Any, max_seq_length: int) -> None:
        self._rows, self._tokenizer = rows, tokenizer
        self._room = max_seq_length - len(tokenizer("")["input_ids"])
        self.max_seq_length = max_seq_length
        self.num_texts = self.num_packed = self.num_tokens = 0

    def __iter__(self) -> Iterator[dict[str, str]]:
        self.num_texts = self.num_packed = self.num_tokens = 0
        joined: list[str] = []
        num_tokens = 0
        for text, length in self._lengths():
            if joined and num_tokens + length > self._room:
                yield self._packed(joined, num_tokens)
                joined, num_tokens = [], 0
            joined.append(text)
            num_tokens += length
        if joined:
            yield self._packed(joined, num_tokens)

    def _lengths(self) -> Iterator[tuple[str, int]]:
        texts = (str(row["text"]) for row in self._rows)
        while batch := list(islice(texts, _ROWS_A_BATCH)):
            yield from zip(batch, map(len, uncut_ids(self._tokenizer, batch)), strict=True)

    def _packed(self, joined: list[str], num_tokens: int) -> dict[str, str]:
        self.num_texts += len(joined)
        self.num_packed += 1
        self.num_tokens += min(num_tokens, self._room)
        return {"text": " ".join(joined)}

    def note(self) -> str:
        """Say how full the rows are, after a pass."""
        share = 100 * self.num_tokens / (self.num_packed * self._room) if self.num_packed else 0.0
        return (
            f"{self.num_texts:,} texts packed into {self.num_packed:,} rows of up to {self.max_seq_length} tokens,"
            f" {share:.0f}% full"
        )
