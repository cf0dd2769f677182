"""Recognising equal texts within a batch: in-batch negatives that say the same as the positive are none."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

_MULTIPLIER = 6364136223846793005  # of Knuth's MMIX generator: odd, so that every position weighs differently


def text_keys(features: Mapping[str, Any]) -> Int[Tensor, " B"] | None:
    """Give each text a number, equal for equal tokens whatever the padding.

    Args:
        features: The features of one column.

    Returns:
        64-bit hashes of the tokens; ``None`` for features that are not rows of tokens (trees, bags of words).
    """
    ids, mask = features.get("input_ids"), features.get("attention_mask")
    if not isinstance(ids, Tensor) or not isinstance(mask, Tensor) or ids.ndim != 2 or ids.shape != mask.shape:  # noqa: PLR2004
        return None
    place = mask.long().cumsum(dim=1)
    weights = (place * 2 + 1) * _MULTIPLIER
    weights = weights ^ (weights >> 29)
    return ((ids.long() + 1) * mask.long() * weights * _MULTIPLIER).sum(dim=1)


def false_negatives(
    anchors: Int[Tensor, " B"],
    positives: Int[Tensor, " B"],
    all_anchors: Int[Tensor, " M"],
    candidates: Sequence[Int[Tensor, " M"]],
    first: int = 0,
) -> Bool[Tensor, "B N"]:
    """Mark the candidates that must not count as negatives of an anchor.

    Marked are candidates with the text of the anchor or of its positive, and positives of an equal anchor; never the
    anchor's own positive.

    Args:
        anchors: Keys of the anchors.
        positives: Keys of their positives.
        all_anchors: Keys of the anchors of all ranks.
        candidates: Keys of the positives of all ranks, then of their hard negatives, column by column.
        first: Place of the first anchor among ``all_anchors``.

    Returns:
        True where a candidate is left out, over all candidates in order.
    """
    keys = torch.cat(list(candidates))
    same = (keys == anchors[:, None]) | (keys == positives[:, None])
    same[:, : len(all_anchors)] |= all_anchors == anchors[:, None]
    rows = torch.arange(len(anchors), device=keys.device)
    same[rows, rows + first] = False
    return same
