"""The nearest rows of a pass over all vectors are those of a plain comparison."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsent.search.exact_scan import nearest_rows, products, recall


def blocks(vectors: np.ndarray, size: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The vectors cut into blocks, rows numbered from 100."""
    numbers = np.arange(100, 100 + len(vectors))
    return [(numbers[start : start + size], vectors[start : start + size]) for start in range(0, len(vectors), size)]


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 12), st.booleans())
def test_one_pass_finds_what_sorting_all_cosines_finds(seed: int, num_rows: int, limit: int, is_int8: bool) -> None:
    draw = np.random.default_rng(seed)
    vectors = draw.integers(-3, 4, (num_rows, 3)).astype(np.int8 if is_int8 else np.float32)
    queries = draw.normal(size=(4, 3)).astype(np.float32)
    for query, (numbers, cosines) in zip(queries, nearest_rows(blocks(vectors, 7), queries, limit), strict=True):
        values = vectors.astype(np.float64)
        norms = np.linalg.norm(values, axis=1)
        exact = values @ query / np.where(norms > 0, norms, np.inf) / np.linalg.norm(query)
        has_direction = norms > 0
        assert len(numbers) == min(limit, has_direction.sum())
        assert np.allclose(cosines, exact[numbers - 100], atol=1e-6)
        assert np.allclose(cosines, np.sort(exact[has_direction])[::-1][:limit], atol=1e-6)
        assert len(set(numbers.tolist())) == len(numbers)


def test_of_equal_rows_the_first_comes_first() -> None:
    vectors = np.array([[0, 0], [2, 0], [0, 1], [1, 0], [3, 0]], np.int8)
    ((numbers, cosines),) = nearest_rows(blocks(vectors, 2), np.array([[1, 0]], np.float32), 3)
    assert numbers.tolist() == [101, 103, 104]
    assert cosines.tolist() == [1, 1, 1]


def test_products_of_int8_are_those_of_their_float32() -> None:
    vectors = np.random.default_rng(0).integers(-127, 128, (20_000, 5)).astype(np.int8)
    query = np.array([0.5, -1, 2, 0, 0.25], np.float32)
    assert np.allclose(products(vectors, query), vectors.astype(np.float32) @ query)
    floats = vectors.astype(np.float32)
    assert np.array_equal(products(floats, query), floats @ query)


def test_recall_by_hand() -> None:
    found, exact = np.array([0.9, 0.5, 0.3]), np.array([0.9, 0.6])
    assert recall([found], [exact]) == pytest.approx(0.5)
    assert recall([found, np.array([0.7, 0.7])], [exact, np.array([0.7, 0.7])]) == pytest.approx(0.75)
    assert recall([np.array([0.7] * 3)], [np.array([0.7])]) == 1.0
    assert recall([np.zeros(0)], [exact]) == 0.0
    assert recall([], []) == 1.0
    assert recall([found], [np.zeros(0)]) == 1.0
