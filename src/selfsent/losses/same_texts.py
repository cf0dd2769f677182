"""Find equal texts in a batch, so that they are not used as negatives."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

_MULTIPLIER = 6364136223846793005  # of Knuth's MMIX generator: odd, so that every position weighs differently


def text_keys(features: Mapping[str, Any]) -> Int[Tensor, " B"] | None:
    """Give each text a number, equal for equal tokens whatever the padding.

    Args:
        features: The features of one column: padded rows of tokens with their mask, or bags of tokens
            (``input_ids`` in one row, and the ``offsets`` where each text begins).

    Returns:
        64-bit hashes of the tokens; ``None`` for other features.
    """
    ids, mask, offsets = features.get("input_ids"), features.get("attention_mask"), features.get("offsets")
    if not isinstance(ids, Tensor):
        return None
    if isinstance(offsets, Tensor) and ids.ndim == 1 and offsets.ndim == 1 and len(offsets):
        return _keys_of_bags(ids, offsets)
    if not isinstance(mask, Tensor) or ids.ndim != 2 or ids.shape != mask.shape:  # noqa: PLR2004
        return None
    return (_hashes(ids.long(), mask.long().cumsum(dim=1)) * mask.long()).sum(dim=1)


def _hashes(ids: Tensor, places: Tensor) -> Tensor:
    """Hash each token with its place in the text, from 1."""
    weights = (places * 2 + 1) * _MULTIPLIER
    weights = weights ^ (weights >> 29)
    return (ids + 1) * weights * _MULTIPLIER


def _keys_of_bags(ids: Int[Tensor, " T"], offsets: Int[Tensor, " B"]) -> Int[Tensor, " B"]:
    """Add up the hashes of each text's tokens, from its offset to the next."""
    tokens = torch.arange(len(ids), device=ids.device)
    text = torch.searchsorted(offsets, tokens, right=True) - 1
    hashes = _hashes(ids.long(), tokens - offsets[text] + 1)
    return torch.zeros(len(offsets), dtype=torch.int64, device=ids.device).index_add_(0, text, hashes)


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


def same_label(
    labels: Int[Tensor, " B"], all_labels: Int[Tensor, " M"], num_candidates: int, first: int = 0
) -> Bool[Tensor, "B N"]:
    """Mark the positives of other rows with the same label, such as parts of the same document.

    Args:
        labels: Labels of this rank's rows.
        all_labels: Labels of the rows of all ranks.
        num_candidates: All candidates: the positives come first, hard negatives (never marked) behind them.
        first: Place of the first row among ``all_labels``.

    Returns:
        True where a candidate is left out, over all candidates in order; never a row's own positive.
    """
    same = torch.zeros(len(labels), num_candidates, dtype=torch.bool, device=labels.device)
    same[:, : len(all_labels)] = labels[:, None] == all_labels
    rows = torch.arange(len(labels), device=labels.device)
    same[rows, rows + first] = False
    return same
