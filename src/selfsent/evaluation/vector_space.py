"""How vectors lie on the unit sphere: alignment, uniformity, anisotropy, effective rank; jackknife intervals."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy.stats import t as student_t

from selfsent.evaluation.sentence_vectors import Vectors
from selfsent.printed_text import progress_bar

_CHUNK_ROWS = 1024


def normalise(vectors: Vectors) -> Vectors:
    """Scale every vector to length one, in float64; a zero vector stays zero."""
    wide = vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return wide / np.where(lengths == 0, 1.0, lengths)


def squared_distances(u: Vectors, v: Vectors) -> Float[np.ndarray, " B"]:
    """Measure the squared Euclidean distance of each pair of unit-scaled vectors, between 0 and 4.

    Args:
        u: First vectors of the pairs, of any length.
        v: Second vectors of the pairs.
    """
    return np.square(normalise(u) - normalise(v)).sum(axis=1)


def alignment(u: Vectors, v: Vectors) -> float:
    """Average the squared distance of positive pairs on the unit sphere; 0 where every positive pair coincides.

    Args:
        u: First vectors of the positive pairs, of any length.
        v: Second vectors of the positive pairs.

    Returns:
        Mean over pairs, between 0 and 4.

    Source: Wang and Isola 2020 (alpha = 2); on STS-B as in Gao et al. 2021.
    """
    return float(squared_distances(u, v).mean())


def uniformity(vectors: Vectors, *, scale: float = 2.0) -> float:
    """Take the log of the mean Gaussian potential between distinct sentences; the lower, the more evenly they spread.

    Args:
        vectors: One vector a sentence, of any length; at least two.
        scale: Multiplies the squared distance in the exponent (paper: t = 2).

    Returns:
        Between ``-4 * scale`` (opposite points) and 0 (all points alike), nats.

    Source: Wang and Isola 2020.
    Differs: averages over pairs of distinct sentences; drawing with replacement would add a share 1/B of zeros.
    """
    unit = normalise(vectors)
    num_sentences = len(unit)
    total = 0.0
    for start in range(0, num_sentences, _CHUNK_ROWS):
        cosines = unit[start : start + _CHUNK_ROWS] @ unit.T
        total += float(np.exp(-scale * np.maximum(2 - 2 * cosines, 0)).sum())
    own = float(np.exp(-scale * np.maximum(2 - 2 * np.square(unit).sum(axis=1), 0)).sum())
    return float(np.log((total - own) / (num_sentences * (num_sentences - 1))))


def anisotropy(vectors: Vectors) -> float:
    """Average the cosine over all pairs of sentences; 0 for directions spread evenly, near 1 for a narrow cone.

    Args:
        vectors: One vector a sentence, of any length; at least two.

    Returns:
        Between -1 and 1.

    Source: Ethayarajh 2019 (the baseline of its anisotropy-adjusted measures).
    Differs: takes all pairs instead of a random sample of them; the closed form needs no pair at all.
    """
    unit = normalise(vectors)
    num_sentences = len(unit)
    together = float(np.square(unit.sum(axis=0)).sum())
    own = float(np.square(unit).sum())
    return (together - own) / (num_sentences * (num_sentences - 1))


def effective_rank(vectors: Vectors) -> float:
    """Count the directions in use: the exponential of the entropy of the singular values, taken as shares.

    Args:
        vectors: One vector a sentence, of any length.

    Returns:
        Between 1 (one direction) and D (all alike); 0 where no vector differs from the mean.

    Source: Roy and Vetterli 2007.
    Differs: of the unit-scaled vectors minus their mean, since the common part is what ``anisotropy`` reports.
    """
    unit = normalise(vectors)
    singular_values = np.linalg.svd(unit - unit.mean(axis=0), compute_uv=False)
    kept = singular_values[singular_values > singular_values[:1] * 1e-12]
    if kept.size == 0 or kept[0] < 1e-12:  # noqa: PLR2004 rounding of a constant
        return 0.0
    shares = kept / kept.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def jackknife_interval(
    vectors: Vectors, statistic: Callable[[Vectors], float], *, num_groups: int = 20, seed: int = 0
) -> tuple[float, float]:
    """Give a 95% interval of a statistic of the whole cloud, by leaving out one group of sentences at a time.

    A bootstrap repeats sentences, and a repeated sentence is a pair at distance zero, which biases these statistics.

    Args:
        vectors: One vector a sentence.
        statistic: The figure to bracket.
        num_groups: How many groups the sentences are dealt into at random.
        seed: Random seed of the division into parts.

    Returns:
        Lower and upper end, Student's t with ``num_groups - 1`` degrees of freedom around the statistic of all.

    Source: Shao and Tu 1995 (delete-a-group jackknife).
    """
    num_groups = min(num_groups, len(vectors))
    group = np.random.default_rng(seed).permutation(len(vectors)) % num_groups
    groups = progress_bar(range(num_groups), what="jackknife", unit="group")
    without = np.array([statistic(vectors[group != index]) for index in groups])
    standard_error = float(np.sqrt((num_groups - 1) / num_groups * np.square(without - without.mean()).sum()))
    reach = float(student_t.ppf(0.975, num_groups - 1)) * standard_error
    value = statistic(vectors)
    return value - reach, value + reach
