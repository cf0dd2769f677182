"""The strongest directions of a sparse matrix that is read in blocks of rows, however many rows there are."""

import operator
from collections.abc import Callable, Iterable
from functools import partial, reduce
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.linalg import lu, solve_triangular
from scipy.sparse import csr_array

Blocks = Callable[[], Iterable[csr_array]]
"""Reads the rows of a matrix anew, some thousand at a time, in the same order each time."""

OfBlock = Callable[[csr_array], np.ndarray[Any, Any]]
"""Computes an array from some rows; can be pickled."""

SumOverBlocks = Callable[[OfBlock], np.ndarray[Any, Any]]
"""Goes through the rows of a matrix in blocks, here or in many processes, and adds up what is computed of each."""

_MORE_DIRECTIONS = 10
_PASSES = 5
_ROWS_AT_ONCE = 4096


def sum_over(blocks: Blocks, of_block: OfBlock) -> np.ndarray[Any, Any]:
    """Add up what is computed of each block, one block after another.

    Args:
        blocks: The rows; at least one block.
        of_block: What is computed.
    """
    return reduce(operator.iadd, map(of_block, blocks()))


def right_singular_vectors(
    sum_over_blocks: SumOverBlocks, num_columns: int, rank: int, *, seed: int = 0
) -> tuple[Float[np.ndarray, " R"], Float[np.ndarray, "C R"]]:
    """Find the largest singular values of a matrix A and their right vectors.

    A random basis is multiplied by the transpose of A times A, and freed of what its columns share by an LU
    decomposition, five times; A is seen in one pass more through the basis, in double precision. Memory holds the
    basis, ``(C, R + 10)``, and one block: nothing grows with the rows.

    Source: Halko, Martinsson and Tropp 2011, Algorithms 4.4 and 5.1, on the side of the columns.
    Differs: both products with A are one pass over its blocks, and the basis is made orthogonal once, at the end.

    Args:
        sum_over_blocks: Goes through the rows of A, six times; `sum_over` with its blocks does it in this process.
        num_columns: C.
        rank: R, how many to find; at most C.
        seed: Random seed of the basis.

    Returns:
        Singular values, the largest first, and orthonormal columns in float32, each with its largest value positive.
    """
    width = min(rank + _MORE_DIRECTIONS, num_columns)
    basis = np.random.default_rng(seed).normal(size=(num_columns, width)).astype(np.float32)
    for _ in range(_PASSES):
        product = sum_over_blocks(partial(_squared_times, basis=basis))
        basis = lu(product, permute_l=True, overwrite_a=True, check_finite=False)[0]
    basis = _orthonormal(basis)
    squares, rotation = np.linalg.eigh(sum_over_blocks(partial(_moments, basis=basis)))
    vectors = _rotated(basis, rotation[:, ::-1][:, :rank])
    vectors *= np.where(vectors.max(axis=0) >= -vectors.min(axis=0), 1, -1)
    return np.sqrt(np.maximum(squares[::-1][:rank], 0)), vectors


def _squared_times(block: csr_array, basis: Float[np.ndarray, "C W"]) -> Float[np.ndarray, "C W"]:
    return block.T @ (block @ basis)


def _moments(block: csr_array, basis: Float[np.ndarray, "C W"]) -> Float[np.ndarray, "W W"]:
    seen = block @ basis
    return seen.T @ seen


def _orthonormal(basis: Float[np.ndarray, "C W"]) -> Float[np.ndarray, "C W"]:
    """Give orthonormal columns that span the same, in double precision; twice, since once leaves rounding."""
    rows = basis.T.astype(np.float64, order="F")
    for _ in range(2):
        factor = np.linalg.cholesky(rows @ rows.T)
        for start in range(0, rows.shape[1], _ROWS_AT_ONCE):  # in place: a second copy would be the peak of memory
            some = rows[:, start : start + _ROWS_AT_ONCE]
            some[:] = solve_triangular(factor, some, lower=True, check_finite=False)
    return rows.T


def _rotated(basis: Float[np.ndarray, "C W"], rotation: Float[np.ndarray, "W R"]) -> Float[np.ndarray, "C R"]:
    """Multiply some rows after another, so that the product is never there in double precision."""
    rotated = np.empty((len(basis), rotation.shape[1]), dtype=np.float32)
    for start in range(0, len(basis), _ROWS_AT_ONCE):
        rotated[start : start + _ROWS_AT_ONCE] = basis[start : start + _ROWS_AT_ONCE] @ rotation
    return rotated
