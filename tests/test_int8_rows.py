"""Rows in int8 are near the rows they were made of, and exactly what their scale says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from selfsent.errors import UserError
from selfsent.int8_rows import Int8Rows, quantised

ROWS = arrays(np.float32, st.tuples(st.integers(0, 6), st.integers(1, 8)), elements=st.floats(-1e6, 1e6, width=32))


def test_a_row_worked_out_by_hand() -> None:
    values, scales = quantised(np.array([[2.54, -1.27, 0.013, 0.0], [0, 0, 0, 0]], np.float32))
    assert values.tolist() == [[127, -64, 1, 0], [0, 0, 0, 0]]
    assert scales == pytest.approx([0.02, 0])


@given(ROWS)
def test_no_value_is_off_by_more_than_half_a_step(rows: np.ndarray) -> None:
    values, scales = quantised(rows)
    found = Int8Rows(values, scales)[np.arange(len(rows))]
    step = np.abs(rows).max(axis=1, keepdims=True, initial=0) / 127
    assert (np.abs(found - rows) <= step * 0.5001 + 1e-30).all()


@given(ROWS)
def test_a_row_and_its_negative_are_held_alike(rows: np.ndarray) -> None:
    assert np.array_equal(quantised(-rows)[0], -quantised(rows)[0])


def test_rows_are_taken_one_or_many_and_weighed() -> None:
    table = Int8Rows(np.array([[1, 2], [3, -4]], np.int8), np.array([0.5, 2], np.float32))
    assert table[1].tolist() == [6, -8]
    assert table[np.array([1, 0, 1])].tolist() == [[6, -8], [0.5, 1], [6, -8]]
    assert table.times(np.array([2, 0.5], np.float32))[np.arange(2)].tolist() == [[1, 2], [3, -4]]
    assert (len(table), table.shape) == (2, (2, 2))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(UserError, match="NaN or infinity"):
        quantised(np.array([[1, bad]], np.float32))
