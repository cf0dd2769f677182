"""Rows of numbers held in 8 bits, each row with a scale of its own: a quarter of the size of float32."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfsent.errors import UserError

LARGEST = 127
"""Largest absolute value of a row in int8; -128 is not used, so that a row and its negative are rounded alike."""

_ROWS_AT_ONCE = 1 << 16


def quantised(rows: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round each row to whole numbers, scaled so that its largest absolute value becomes 127.

    Args:
        rows: ``(N, D)``, finite.

    Returns:
        The whole numbers, ``(N, D)``, and the scale of each row, ``(N,)``; a row of zeros has the scale 0.

    Raises:
        UserError: A row holds NaN or infinity.
    """
    values = np.empty(rows.shape, dtype=np.int8)
    scales = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        part = np.asarray(rows[start : start + _ROWS_AT_ONCE], dtype=np.float32)
        if not np.isfinite(part).all():
            raise UserError("rows of NaN or infinity cannot be held in int8; check the training of the model")
        largest = np.abs(part).max(axis=1, initial=0)
        scale = largest / np.float32(LARGEST)
        held = np.rint(part / np.where(scale > 0, scale, np.float32(1))[:, None])
        values[start : start + _ROWS_AT_ONCE] = np.clip(held, -LARGEST, LARGEST)
        scales[start : start + _ROWS_AT_ONCE] = scale
    return values, scales


@dataclass(frozen=True)
class Int8Rows:
    """A table held in int8; rows become float32 when they are read.

    Args:
        values: Whole numbers, ``(V, D)``.
        scales: What each row is multiplied by, ``(V,)``.
    """

    values: NDArray[np.int8]
    scales: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, and values of a row."""
        return self.values.shape[0], self.values.shape[1]

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Any) -> NDArray[np.float32]:
        return self.values[rows].astype(np.float32) * self.scales[rows][..., None]

    def times(self, weights: NDArray[np.float32]) -> "Int8Rows":
        """Multiply each row by a weight."""
        return Int8Rows(self.values, (self.scales * weights).astype(np.float32))
