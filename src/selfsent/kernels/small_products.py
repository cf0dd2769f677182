"""Products of short vectors with small matrices, for use inside compiled loops.

A compiler vectorises the innermost loop alone. Over the ten columns of a channel that is one vector and a rest, with
checks and stores around them at every step. So the machine code is written out in `selfsent.kernels.register_products`,
where numba compiles; how much that gains is in benchmarks/README.md.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfsent.compiler import LANES, is_compiled

FloatArray = NDArray[np.float32]


def widened(matrix: FloatArray) -> FloatArray:
    """Append zero columns to a matrix or vector until a multiple of eight stands side by side."""
    width = matrix.shape[-1]
    wide = np.zeros((*matrix.shape[:-1], width + -width % LANES), matrix.dtype)
    wide[..., :width] = matrix
    return wide


def _add_products(
    values: FloatArray,
    start: int,
    row_stride: int,
    stride: int,
    matrix: FloatArray,
    first: int,
    count: int,
    sums: FloatArray,
) -> None:
    """Add products of rows that lie in a vector with a matrix: ``sums[r] += x_r @ matrix[first : first + count]``.

    Entry ``i`` of ``x_r`` is ``values[start + r * row_stride + i * stride]``. Where numba compiles, this can be called
    from compiled functions only.

    Args:
        values: A vector.
        start: Where in it the first row begins.
        row_stride: Values from one row to the next.
        stride: Values from one entry of a row to the next.
        matrix: ``(M, W)`` with a multiple of eight columns (`widened`).
        first: The first of its rows that takes part.
        count: How many take part.
        sums: ``(R, W)``; not ``matrix``.
    """
    for row in range(len(sums)):
        begin = start + row * row_stride
        for i in range(count):
            sums[row] += values[begin + i * stride] * matrix[first + i]


def _in_registers() -> Any:
    from selfsent.kernels.register_products import add_products_in_registers  # noqa: PLC0415 it imports numba

    return add_products_in_registers


add_products: Any = _in_registers() if is_compiled else _add_products
