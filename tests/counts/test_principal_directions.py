"""Narrowing a teacher's vectors: against the singular value decomposition, and what is refused."""

import numpy as np
import pytest

from selfsent.counts.principal_directions import principal_directions
from selfsent.errors import UserError


def test_the_directions_are_those_of_the_singular_value_decomposition():
    vectors = np.random.default_rng(0).normal(size=(300, 12)).astype(np.float32) * np.arange(1, 13, dtype=np.float32)
    found = principal_directions(vectors, 5)
    expected = np.linalg.svd(vectors, full_matrices=False)[2][:5].T
    np.testing.assert_allclose(np.abs((found * expected).sum(axis=0)), 1, rtol=1e-4)
    np.testing.assert_allclose(found.T @ found, np.eye(5), atol=1e-5)


def test_vectors_of_few_directions_keep_their_inner_products():
    rng = np.random.default_rng(1)
    vectors = (rng.normal(size=(50, 3)) @ rng.normal(size=(3, 20)) + 4).astype(np.float32)
    narrow = vectors @ principal_directions(vectors, 4)
    np.testing.assert_allclose(narrow @ narrow.T, vectors @ vectors.T, rtol=1e-3)


@pytest.mark.parametrize("width", [0, 13])
def test_a_wider_student_is_told_to_bridge_otherwise(width):
    with pytest.raises(UserError, match=f"12 values, and bridge=pca cannot make them {width} wide"):
        principal_directions(np.zeros((3, 12), dtype=np.float32), width)
