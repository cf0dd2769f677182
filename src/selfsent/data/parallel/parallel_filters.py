"""Filters for pairs that are not translations: identical sides, and lengths that are out of proportion."""

import math

import numpy as np
from jaxtyping import Bool, Int
from numpy.typing import NDArray

from selfsent.data.parallel.parallel_sources import Pair
from selfsent.errors import UserError

MAX_LENGTH_RATIO = 4.0
_SMOOTHING = 10.0
"""Characters added to both lengths, so that short texts are not judged by a word more or less."""

_PAIRS_FOR_A_MEDIAN = 20


def is_untranslated(pair: Pair) -> bool:
    """Tell whether both sides are equal except for case."""
    return pair.source.casefold() == pair.target.casefold()


def english_side(pair: Pair) -> str:
    """The English text of a pair; the source where no side is English."""
    is_target = pair.target_language.split("-")[0] == "en" != pair.source_language.split("-")[0]
    return pair.target if is_target else pair.source


def proportion_mask(
    source_lengths: NDArray[np.int64],
    target_lengths: NDArray[np.int64],
    groups: NDArray[np.int64],
    *,
    max_ratio: float = MAX_LENGTH_RATIO,
) -> Bool[np.ndarray, "B"]:
    """Mark the pairs whose sides are in proportion.

    Lengths are compared after scaling by the median ratio of the two languages, in characters: so Chinese with
    English is kept, and no script needs words.

    Args:
        source_lengths: Characters of each source, above 0.
        target_lengths: Characters of each target, above 0.
        groups: A number for the two languages of each pair; fewer than twenty pairs are not scaled.
        max_ratio: Longest over shortest side, scaled; above 1 (ours: 4).

    Returns:
        True where a pair is kept.

    Raises:
        UserError: The ratio is not above 1.
    """
    if not max_ratio > 1:
        raise UserError(f"max_length_ratio={max_ratio} must be above 1, such as 4")
    typical = np.ones(len(groups))
    for group in np.unique(groups):
        is_of = groups == group
        if is_of.sum() >= _PAIRS_FOR_A_MEDIAN:
            typical[is_of] = math.exp(np.median(np.log(target_lengths[is_of] / source_lengths[is_of])))
    ratio = (target_lengths / typical + _SMOOTHING) / (source_lengths + _SMOOTHING)
    return np.maximum(ratio, 1 / ratio) <= max_ratio


def lengths_of(texts: object) -> Int[np.ndarray, "B"]:
    """Count the characters of a column of texts, without turning them into strings of Python's.

    Args:
        texts: A column of Arrow's.
    """
    import pyarrow.compute as pc  # noqa: PLC0415 a tenth of a second that only this needs

    return np.asarray(pc.utf8_length(texts), dtype=np.int64)  # pyright: ignore[reportAttributeAccessIssue] made at import
