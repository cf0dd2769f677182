"""One pass of the model for all columns of a batch, without work on padding where there are ways around it."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.losses.merged_forward import embed_columns as embed_each_column
from sentence_transformers.base.losses.merged_forward import merge_feature_batches
from torch import Tensor, nn

from selfsent.errors import UserError
from selfsent.losses.packed_pass import packed, packing_transformer

Features = Mapping[str, Any]

ROWS_A_GROUP = 32
"""Rows of one forward on a CPU (measured: fewer waste calls, more waste padding)."""


def embed_columns(model: nn.Module, columns: Iterable[Features]) -> list[Float[Tensor, "B D"]]:
    """Embed every column of a batch in one pass of the model, without padding or rows of like length together.

    The host embeds two columns in two passes, each padded to its longest row. Here the rows of all columns are one
    batch. On a CPU a transformer that can is given their tokens without padding; for others rows are sorted by length
    and taken in groups, each padded to its own longest row only. Which sentences are contrasted does not change, so
    unlike batches of sentences of one length this does not bias the negatives. Embeddings are those of the host, up to
    rounding and the draw of dropout.

    Args:
        model: A SentenceTransformer, or what wraps it.
        columns: Features by column, as the trainer hands them to a loss; left as they are.

    Returns:
        The sentence embeddings of each column, in order.
    """
    columns = [dict(column) for column in columns]
    merged = columns[0] if len(columns) == 1 else merge_feature_batches(columns)
    mask = None if merged is None else merged.get("attention_mask")
    if merged is None or not isinstance(mask, Tensor) or mask.ndim != 2:  # noqa: PLR2004 rows and tokens
        return embed_each_column(model, columns)
    return list(_embed_rows(model, merged, mask).chunk(len(columns)))


def _embed_rows(model: nn.Module, features: Features, mask: Int[Tensor, "B T"]) -> Float[Tensor, "B D"]:
    """Embed rows without padding, or in groups where groups pay."""
    transformer = packing_transformer(model, features)
    is_whole = mask.device.type != "cpu" or len(mask) <= ROWS_A_GROUP  # accelerators prefer one large call
    if transformer is not None or is_whole:
        with contextlib.nullcontext() if transformer is None else packed(transformer):
            return model(dict(features))["sentence_embedding"]
    order = _order(mask)
    groups = (_rows(features, mask.shape, rows) for rows in order.split(ROWS_A_GROUP))
    embeddings = torch.cat([model(group)["sentence_embedding"] for group in groups])
    back = torch.empty_like(order).scatter_(0, order, torch.arange(len(order)))
    return embeddings[back]


def repeat_rows(features: Features, times: int = 2) -> list[Features]:
    """Give one column several times: views that differ in dropout alone, tokenised once."""
    return [features] * times


def two_views(sentence_features: Iterable[Features]) -> list[Features]:
    """Take the columns of a batch as two views; one column is both, and dropout makes them differ."""
    columns = list(sentence_features)
    if len(columns) > 2:  # noqa: PLR2004 views
        raise UserError(
            f"got {len(columns)} columns of texts, and the cross-view objective compares two; pick two with --columns"
        )
    return repeat_rows(columns[0]) if len(columns) == 1 else columns


def width_of(model: SentenceTransformer) -> int:
    """Values of an embedding of the model."""
    return int(model.get_embedding_dimension() or 0)


def _order(mask: Int[Tensor, "B T"]) -> Int[Tensor, " B"]:
    """Rows by falling length."""
    return mask.sum(dim=1).argsort(descending=True, stable=True)


def _rows(features: Features, shape: Sequence[int], rows: Int[Tensor, " G"]) -> Features:
    """Take some rows of a batch, without the positions that are padding in all of them."""
    used = features["attention_mask"][rows].any(dim=0).nonzero()
    width = int(used.max()) + 1 if len(used) else 1
    return {name: _cut(value, shape, rows, width) for name, value in features.items()}


def _cut(value: Any, shape: Sequence[int], rows: Int[Tensor, " G"], width: int) -> Any:
    if not isinstance(value, Tensor) or value.ndim == 0 or len(value) != shape[0]:
        return value
    picked = value[rows]
    return picked[:, :width] if picked.ndim > 1 and picked.shape[1] == shape[1] else picked
