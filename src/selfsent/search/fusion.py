"""One ranking out of two: scores by words and cosines, weighed against each other."""

import numpy as np
from jaxtyping import Float

NUM_CANDIDATES = 100
"""Documents that each of the two rankings names as candidates."""

DEFAULT_WEIGHT = 0.5
"""Weight of the cosines where none was chosen."""


def fused(
    words: Float[np.ndarray, "*Q C"], cosines: Float[np.ndarray, "*Q C"], weight: float
) -> Float[np.ndarray, "*Q C"]:
    """Weigh the scores of candidates by words and by meaning, each divided by the highest of its query.

    Args:
        words: BM25 scores of the candidates, 0 where no word is shared.
        cosines: Cosines of the candidates.
        weight: Weight of the cosines, in [0, 1]; the words have the rest.

    Returns:
        Scores, at most 1.
    """
    return (1 - weight) * _of_highest(words) + weight * _of_highest(cosines)


def _of_highest(scores: Float[np.ndarray, "*Q C"]) -> Float[np.ndarray, "*Q C"]:
    highest = scores.max(axis=-1, keepdims=True, initial=0)
    return scores / np.where(highest > 0, highest, 1)
