"""Vectors of tokens by their spelling."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

_LENGTHS = (2, 3)
_TOKENS_AT_ONCE = 1024


def spelling_vectors(tokens: Sequence[str], *, dimension: int, seed: int = 0) -> NDArray[np.float32]:
    """Give tokens that share letters vectors that are near each other, as forms of one word do.

    Source: fastText's character n-grams (Bojanowski et al. 2017).
    Differs: n-grams of 2 and 3 characters (3 to 6 there), begin and end of a token among them, weighed by tf-idf over
    the vocabulary; their vectors are random and not learnt.

    Args:
        tokens: The vocabulary, each distinct.
        dimension: Values of a vector.
        seed: Random seed of the n-gram vectors.

    Returns:
        Vectors ``(V, dimension)`` of length 1; cosines are those of shared n-grams, up to ``1 / sqrt(dimension)``.
    """
    n_grams: Any = TfidfVectorizer(analyzer="char_wb", ngram_range=_LENGTHS, lowercase=False).fit_transform(tokens)
    of_n_gram = np.random.default_rng(seed).standard_normal((n_grams.shape[1], dimension))
    vectors = np.empty((len(tokens), dimension), dtype=np.float32)
    for start in range(0, len(tokens), _TOKENS_AT_ONCE):  # all in double precision would take four times the memory
        some = slice(start, start + _TOKENS_AT_ONCE)
        vectors[some] = np.asarray(normalize(n_grams[some] @ of_n_gram, copy=False))
    return vectors
