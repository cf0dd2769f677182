"""Attention of rows that stand one after another without padding.

Everything else a transformer computes treats each token alone, so tokens without padding are one matrix. Attention
compares the tokens of a row with each other: here rows of like length are put side by side, each group padded to its
own longest row, compared, and taken apart again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from selfsent.kernels.bit_dropout import kept_values

ROWS_A_GROUP = 16
"""Rows that are compared in one product (measured: fewer waste calls, more waste padding)."""


@dataclass(frozen=True, kw_only=True)
class RowGroup:
    """Rows of like length, of all heads.

    Args:
        rows: Their places among the places of all groups.
        products: The places of their products, each token of a row with each other, among those of all groups.
        shape: Rows times heads, tokens of the longest.
        bias: Minus infinity where a place of a row is behind its last token; ``None`` where none is.
    """

    rows: slice
    products: slice
    shape: tuple[int, int]
    bias: Float[Tensor, "G 1 T"] | None


@dataclass(frozen=True, kw_only=True)
class RowGroups:
    """Where each token of packed rows stands among groups of rows of like length.

    Args:
        groups: The groups.
        places: Index, among the places of all groups, of each head of each token, heads of a token together.
        num_places: How many there are, those behind the last token of a row among them.
        num_products: Products of all groups.
    """

    groups: Sequence[RowGroup]
    places: Int[Tensor, " L"]
    num_places: int
    num_products: int


def row_groups(num_tokens: Int[Tensor, " B"], num_heads: int) -> RowGroups:
    """Group packed rows by length.

    Args:
        num_tokens: Tokens of each row, in the order they are packed in; at least one each.
        num_heads: Heads of the attention.
    """
    starts = num_tokens.cumsum(0) - num_tokens
    places = torch.empty(int(num_tokens.sum()), num_heads, dtype=torch.int64)
    heads = torch.arange(num_heads)
    groups, num_places, num_products = [], 0, 0
    for rows in num_tokens.argsort(descending=True, stable=True).split(ROWS_A_GROUP):
        lengths = num_tokens[rows]
        width, num_rows = int(lengths[0]), len(rows) * num_heads
        columns = torch.arange(width)
        is_token = columns < lengths[:, None]
        of_row = num_places + width * (num_heads * torch.arange(len(rows))[:, None] + heads)
        places[(starts[rows][:, None] + columns)[is_token]] = (of_row[:, None] + columns[:, None])[is_token]
        bias = None
        if int(lengths[-1]) < width:
            bias = torch.zeros(is_token.shape).masked_fill_(~is_token, -torch.inf).repeat_interleave(num_heads, dim=0)
        groups.append(
            RowGroup(
                rows=slice(num_places, num_places + num_rows * width),
                products=slice(num_products, num_products + num_rows * width**2),
                shape=(num_rows, width),
                bias=None if bias is None else bias[:, None],
            )
        )
        num_places, num_products = groups[-1].rows.stop, groups[-1].products.stop
    return RowGroups(groups=groups, places=places.flatten(), num_places=num_places, num_products=num_products)


def packed_attention(
    queries: Float[Tensor, "L _"],
    keys: Float[Tensor, "L _"],
    values: Float[Tensor, "L _"],
    groups: RowGroups,
    *,
    scale: float,
    dropout: float = 0.0,
) -> Float[Tensor, "L _"]:
    """Let each token attend to the tokens of its row; differentiable.

    Args:
        queries: One row for each token and head, heads of a token together.
        keys: The same.
        values: The same.
        groups: Where the tokens stand; see `row_groups`.
        scale: Factor of the products.
        dropout: Share of the probabilities to drop.

    Returns:
        One row for each token and head, in the order of the queries.
    """
    return _PackedAttention.apply(queries, keys, values, groups, scale, dropout)


class _PackedAttention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, queries: Tensor, keys: Tensor, values: Tensor, groups: RowGroups, scale: float, dropout: float
    ) -> Tensor:
        queries, keys, values = (_placed(rows, groups) for rows in (queries, keys, values))
        probabilities = queries.new_empty(groups.num_products)
        for group in groups.groups:
            logits = torch.bmm(_rows(queries, group), _rows(keys, group).mT).mul_(scale)
            if group.bias is not None:
                logits += group.bias
            torch.softmax(logits, -1, out=_products(probabilities, group))
        kept = kept_values(probabilities.shape, dropout) if dropout else None
        used = probabilities if kept is None else probabilities * kept
        found = torch.empty_like(values)
        for group in groups.groups:
            torch.bmm(_products(used, group), _rows(values, group), out=_rows(found, group))
        ctx.save_for_backward(queries, keys, values, probabilities, used, kept)
        ctx.groups, ctx.scale = groups, scale
        return found[groups.places]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride] its decorator hides the names
        queries, keys, values, probabilities, used, kept = ctx.saved_tensors
        groups: RowGroups = ctx.groups
        gradient = _placed(gradient, groups)
        of_products = torch.empty_like(probabilities)
        of_queries, of_keys, of_values = (torch.empty_like(values) for _ in range(3))
        for group in groups.groups:
            torch.bmm(_products(used, group).mT, _rows(gradient, group), out=_rows(of_values, group))
            torch.bmm(_rows(gradient, group), _rows(values, group).mT, out=_products(of_products, group))
        if kept is not None:
            of_products *= kept
        for group in groups.groups:
            shares = _products(probabilities, group)
            gradients = _products(of_products, group)
            of_logits = torch.ops.aten._softmax_backward_data(gradients, shares, -1, shares.dtype)  # noqa: SLF001
            of_logits *= ctx.scale
            torch.bmm(of_logits, _rows(keys, group), out=_rows(of_queries, group))
            torch.bmm(of_logits.mT, _rows(queries, group), out=_rows(of_keys, group))
        places = groups.places
        return of_queries[places], of_keys[places], of_values[places], None, None, None


def _placed(rows: Tensor, groups: RowGroups) -> Tensor:
    """Put rows in their places; other places are zero."""
    return rows.new_zeros(groups.num_places, rows.shape[1]).index_copy_(0, groups.places, rows)


def _rows(placed: Tensor, group: RowGroup) -> Tensor:
    return placed[group.rows].view(*group.shape, -1)


def _products(products: Tensor, group: RowGroup) -> Tensor:
    return products[group.products].view(*group.shape, group.shape[1])
