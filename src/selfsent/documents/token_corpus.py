"""A corpus of documents as token ids on disk: what counting and contrasting read at the speed of memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
from jaxtyping import Int
from scipy.sparse import csr_array
from tokenizers import Tokenizer

from selfsent.counts.tokenized_texts import mapped
from selfsent.documents.stretches import Stretch

_STRETCHES_AT_ONCE = 2000
_STRETCHES_COUNTED = 20_000  # at once
_FILES = ("tokens", "part_starts", "stretch_starts", "documents", "is_titled")


@dataclass(frozen=True, kw_only=True)
class TokenCorpus:
    """Token ids of the parts (title and sentences) of stretches of documents, mapped from files.

    Args:
        tokens: Ids of all tokens, in order.
        part_starts: Where each part begins among the tokens, and the end of the last.
        stretch_starts: Where each stretch begins among the parts, and the end of the last.
        documents: Number of the document of each stretch.
        is_titled: Whether the first part of each stretch is a title.
    """

    tokens: Int[np.ndarray, " L"]
    part_starts: Int[np.ndarray, " P1"]
    stretch_starts: Int[np.ndarray, " S1"]
    documents: Int[np.ndarray, " S"]
    is_titled: Int[np.ndarray, " S"]

    def __len__(self) -> int:
        return len(self.documents)

    @property
    def num_parts(self) -> Int[np.ndarray, " S"]:
        """How many parts each stretch has."""
        return np.diff(self.stretch_starts)

    def counts(self, rows_of: Int[np.ndarray, " V"], *, step: int = 1) -> Iterator[csr_array]:
        """Count how often each row of a table stands in each stretch, some thousand stretches at a time.

        Args:
            rows_of: Row of the table for each token id.
            step: Every how many-th stretch is counted, from the first on.

        Yields:
            Counts ``(stretches, rows)``, float32; equal tokens of a row are counted together.
        """
        num_rows = int(rows_of.max()) + 1 if len(rows_of) else 0
        for first in range(0, len(self), step * _STRETCHES_COUNTED):
            bounds = self.part_starts[self.stretch_starts[first : first + step * _STRETCHES_COUNTED + 1]]
            rows = rows_of[self.tokens[bounds[0] : bounds[-1]]]
            shape = (len(bounds) - 1, num_rows)
            counts = csr_array((np.ones(len(rows), dtype=np.float32), rows, bounds - bounds[0]), shape=shape)
            counts.sum_duplicates()
            yield counts[::step]


def write_token_corpus(found: Iterable[Stretch], tokenizer: Tokenizer, folder: Path) -> TokenCorpus:
    """Tokenize stretches into files; some thousand are in memory at a time.

    Args:
        found: The stretches, read once.
        tokenizer: Gives the tokens of a part; it adds no special ones.
        folder: Where the files go.

    Returns:
        The corpus, mapped from the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, IO[bytes]] = {name: (folder / f"{name}.bin").open("wb") for name in _FILES}
    try:
        _write(iter(found), tokenizer, files)
    finally:
        for file in files.values():
            file.close()
    return TokenCorpus(**{name: mapped(folder / f"{name}.bin", _dtype(name)) for name in _FILES})


def _write(found: Iterator[Stretch], tokenizer: Tokenizer, files: dict[str, IO[bytes]]) -> None:
    num_tokens = num_parts = 0
    files["part_starts"].write(np.int64(0).tobytes())
    files["stretch_starts"].write(np.int64(0).tobytes())
    while group := list(islice(found, _STRETCHES_AT_ONCE)):
        encoded = tokenizer.encode_batch_fast(
            [part for stretch in group for part in stretch.parts], add_special_tokens=False
        )
        ids = [encoding.ids for encoding in encoded]
        starts = num_tokens + np.cumsum([len(one) for one in ids], dtype=np.int64)
        ends = num_parts + np.cumsum([len(stretch.parts) for stretch in group], dtype=np.int64)
        files["tokens"].write(np.concatenate([np.array(one, dtype=np.int32) for one in ids]).tobytes())
        files["part_starts"].write(starts.tobytes())
        files["stretch_starts"].write(ends.tobytes())
        files["documents"].write(np.array([stretch.document for stretch in group], dtype=np.int64).tobytes())
        files["is_titled"].write(np.array([bool(stretch.title) for stretch in group], dtype=np.int8).tobytes())
        num_tokens, num_parts = int(starts[-1]), int(ends[-1])


def _dtype(name: str) -> type[np.generic]:
    return {"tokens": np.int32, "is_titled": np.int8}.get(name, np.int64)
