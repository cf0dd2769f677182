"""A held-out part that stays the same: each row is drawn by a hash of its own content, not by its position."""

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from selfsent.errors import UserError

if TYPE_CHECKING:
    from datasets import Dataset

_NUM_HASHES = 2**64
_BATCH_SIZE = 1000


def hash_of_text(text: str) -> int:
    """Hash a text to 64 bits, the same on every machine.

    Args:
        text: Any text, half surrogate pairs included.

    Returns:
        An integer from 0 to 2^64 - 1.
    """
    return int.from_bytes(hashlib.blake2b(text.encode("utf8", "surrogatepass"), digest_size=8).digest(), "big")


def split_heldout(
    dataset: "Dataset", *, fraction: float | None = None, num_rows: int | None = None
) -> "tuple[Dataset, Dataset]":
    """Split rows into a training and a held-out part by the hashes of their content.

    A row is in the same part wherever it stands and whatever else is in the data (with ``fraction``); equal rows are in
    the same part. Only hashes and positions are held in memory, 16 bytes a row.

    Args:
        dataset: Rows of texts, labels or scores, in memory or mapped from a file.
        fraction: Share of distinct rows to hold out, above 0 and below 1; or ...
        num_rows: ... number of distinct rows to hold out, at least 1.

    Returns:
        The training part and the held-out part, each in the order of ``dataset``.

    Raises:
        UserError: Neither or both were given, or one that leaves a part empty.
    """
    if (fraction is None) == (num_rows is None):
        raise UserError("give a fraction or a number of held-out rows, not both")
    if fraction is not None and not 0 < fraction < 1:
        raise UserError(f"the held-out fraction must be above 0 and below 1, got {fraction}")
    if num_rows is not None and num_rows < 1:
        raise UserError(f"the number of held-out rows must be at least 1, got {num_rows}")
    hashes = _row_hashes(dataset)
    heldout_mask = _below(hashes, fraction) if fraction is not None else _lowest(hashes, num_rows or 0)
    if heldout_mask.all() or not heldout_mask.any():
        raise UserError(
            f"cannot hold out {num_rows or f'a share of {fraction}'} of {len(dataset)} rows: "
            "a part would be empty; give more rows or hold out another number"
        )
    return dataset.select(np.flatnonzero(~heldout_mask)), dataset.select(np.flatnonzero(heldout_mask))


def _row_hashes(dataset: "Dataset") -> NDArray[np.uint64]:
    hashes = np.empty(len(dataset), dtype=np.uint64)
    position = 0
    for start in range(0, len(dataset), _BATCH_SIZE):
        batch: dict[str, list[object]] = dataset.with_format(None)[start : start + _BATCH_SIZE]
        for values in zip(*batch.values(), strict=True):
            hashes[position] = hash_of_text(json.dumps(values))
            position += 1
    return hashes


def _below(hashes: NDArray[np.uint64], fraction: float) -> NDArray[np.bool_]:
    return hashes < np.uint64(fraction * _NUM_HASHES)


def _lowest(hashes: NDArray[np.uint64], num_rows: int) -> NDArray[np.bool_]:
    distinct = np.unique(hashes)
    if num_rows >= len(distinct):
        return np.ones(len(hashes), dtype=np.bool_)
    return hashes < distinct[num_rows]
