from typing import Any

import numpy as np
import pytest

from selfsent.compiler import compiled
from selfsent.kernels.small_products import add_products, widened


@compiled()
def _add(*arguments: Any) -> None:
    add_products(*arguments)


@pytest.mark.parametrize("num_rows", [0, 1, 3, 4, 9])
@pytest.mark.parametrize("width", [0, 8, 16, 24, 40])
@pytest.mark.parametrize("count", [0, 1, 10])
@pytest.mark.parametrize(("row_stride", "stride"), [(10, 1), (1, 9)])
def test_products_are_added_to_every_row_and_nothing_else_is_touched(
    num_rows: int, width: int, count: int, row_stride: int, stride: int
):
    random = np.random.default_rng(0)
    values = random.standard_normal(200, dtype=np.float32)
    matrix = random.standard_normal((15, width), dtype=np.float32)
    room = random.standard_normal((num_rows + 2, width), dtype=np.float32)
    expected = room.copy()
    for row in range(num_rows):
        entries = values[3 + row * row_stride :][: count * stride : stride]
        expected[row + 1] += entries @ matrix[5 : 5 + count]
    _add(values, 3, row_stride, stride, matrix, 5, count, room[1:-1])
    np.testing.assert_allclose(room, expected, atol=1e-5)


@pytest.mark.parametrize(("columns", "width"), [(1, 8), (8, 8), (10, 16)])
def test_widened_columns_are_zero(columns: int, width: int):
    wide = widened(np.ones((3, columns), np.float32))
    assert wide.shape == (3, width)
    assert wide[:, :columns].all()
    assert not wide[:, columns:].any()
    assert widened(np.ones(columns, np.float32)).shape == (width,)
