"""The directions that keep most of some vectors: used to reduce a teacher's vectors to a student's width."""

import numpy as np
from numpy.typing import NDArray

from selfsent.errors import UserError

_ROWS_AT_ONCE = 8192


def principal_directions(vectors: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Find the directions that keep the inner products of some vectors best.

    Differs from principal components: the mean is not taken out, so cosines of the projected vectors approximate those
    of the vectors themselves; with a mean taken out they would be cosines around it.

    Args:
        vectors: One row a text; an array or a file mapped into memory, read in parts.
        width: How many directions, at most as many as the vectors have values.

    Returns:
        Orthonormal columns, the strongest first; multiply vectors by them. The same for the same vectors.

    Raises:
        UserError: The width is not from 1 to that of the vectors.
    """
    if not 1 <= width <= vectors.shape[1]:
        raise UserError(
            f"the teacher's vectors have {vectors.shape[1]} values, and bridge=pca cannot make them {width} wide; it"
            " narrows them only: use bridge=auto for a wider student"
        )
    moments = np.zeros((vectors.shape[1], vectors.shape[1]))
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        part = np.asarray(vectors[start : start + _ROWS_AT_ONCE], dtype=np.float64)
        moments += part.T @ part
    directions = np.linalg.eigh(moments)[1][:, ::-1][:, :width]
    signs = np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(width)])
    return np.ascontiguousarray(directions * signs, dtype=np.float32)
