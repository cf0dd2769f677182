"""Singular values and vectors of a matrix in blocks, against a dense decomposition."""

from functools import partial

import numpy as np
import pytest
from scipy.sparse import csr_array

from selfsent.counts.streamed_svd import right_singular_vectors, sum_over


def matrix(num_rows: int, num_columns: int, *, rank: int, seed: int = 0) -> np.ndarray:
    """Singular values fall by a fifth from one to the next; half of the entries of its factors are zero."""
    random = np.random.default_rng(seed)
    left, right = random.normal(size=(num_rows, rank)), random.normal(size=(rank, num_columns))
    left[random.random(left.shape) < 0.5] = 0
    return (left * 0.8 ** np.arange(rank) @ right).astype(np.float32)


@pytest.mark.parametrize("rows_at_once", [1, 7, 60, 1000])
@pytest.mark.parametrize(("num_rows", "num_columns"), [(60, 40), (40, 60)])
def test_values_and_directions_are_those_of_a_dense_decomposition(
    num_rows: int, num_columns: int, rows_at_once: int
) -> None:
    dense = matrix(num_rows, num_columns, rank=30)
    blocks = [csr_array(dense[start : start + rows_at_once]) for start in range(0, num_rows, rows_at_once)]
    values, vectors = right_singular_vectors(partial(sum_over, lambda: blocks), num_columns, 5)
    _, expected, right = np.linalg.svd(dense.astype(np.float64))
    np.testing.assert_allclose(values, expected[:5], rtol=1e-5)
    np.testing.assert_allclose(np.abs(np.sum(vectors * right[:5].T, axis=0)), 1, atol=1e-4)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(5), atol=1e-5)
    assert (vectors[np.abs(vectors).argmax(axis=0), np.arange(5)] > 0).all()


def test_directions_beyond_the_rank_have_the_value_zero() -> None:
    dense = matrix(30, 20, rank=3)
    values, vectors = right_singular_vectors(partial(sum_over, lambda: [csr_array(dense)]), 20, 8)
    expected = np.linalg.svd(dense.astype(np.float64))[1]
    np.testing.assert_allclose(values[:3], expected[:3], rtol=1e-5)
    assert (values[3:] < 1e-4 * expected[0]).all()
    assert np.isfinite(vectors).all()


def test_the_seed_decides_and_the_blocks_do_not() -> None:
    dense = matrix(50, 40, rank=40)
    whole = right_singular_vectors(partial(sum_over, lambda: [csr_array(dense)]), 40, 6, seed=3)[1]
    parts = right_singular_vectors(
        partial(sum_over, lambda: [csr_array(dense[:20]), csr_array(dense[20:])]), 40, 6, seed=3
    )[1]
    np.testing.assert_allclose(parts, whole, atol=1e-4)
