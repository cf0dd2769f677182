"""The symmetric contrastive loss of many rows against many columns, in tiles.

Memory grows with the rows, not with their square.

Source: Opper et al., EMNLP 2023 (node-contrastive objective); tiling as in Inf-CL (arXiv 2410.17243).
The similarity matrix is computed a tile at a time, forward for its row and column sums. The first tiles are kept for
the gradients, the others are computed again: three products of ``2 N^2 D`` operations and an exponential a pair up to
8,192 nodes, up to four and two above. On a GPU the tiles are Triton's (`selfsent.kernels.triton_contrastive`) where it
works, torch's elsewhere.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from selfsent.kernels.contrastive_tiles import HALF_PRECISION, KeptTiles, log_sums_in_tiles, products_in_tiles
from selfsent.kernels.gathered_rows import gather_rows, log_sum_over_ranks, sum_over_ranks
from selfsent.kernels.triton_choice import uses_triton

_LARGEST_TRITON_DIMENSION = 256  # a block of longer rows does not fit a GPU's multiprocessor


def tiled_symmetric_info_nce(
    rows: Float[Tensor, "N D"], columns: Float[Tensor, "N D"], *, temperature: float, across_ranks: bool = False
) -> Float[Tensor, ""]:
    """Mean of the row-wise and the column-wise cross-entropy of ``rows @ columns.T / temperature`` with the identity.

    Args:
        rows: Unit vectors.
        columns: Unit vectors; row ``i`` and column ``i`` are a positive pair, all others are negatives of each other.
        temperature: Divides the cosines; positive.
        across_ranks: Whether the rows and columns of all ranks of the process group are one batch. Each rank holds a
            row and a column of each of its pairs, perhaps more or fewer than another rank; every rank must call, and
            call ``backward`` with the same outer gradient. Gradients averaged over ranks are those of the whole batch.

    Returns:
        The loss, in nats, of all ranks where they are one batch; 0 where there are no rows. Whatever the precision of
        the rows, sums are float32 at least; half precision is multiplied as it is where the device adds up its
        products in float32. Gradients reach both sides; double backward is refused.
    """
    if not len(rows) and not across_ranks:
        return (rows + columns).sum()
    with torch.autocast(rows.device.type, enabled=False):
        is_widened = rows.dtype in HALF_PRECISION and not _multiplies_half_precision(rows.device)
        sides = (side.float() if is_widened else side for side in (rows, columns))
        loss: Any = _TiledSymmetricInfoNce.apply(*sides, 1.0 / temperature, across_ranks)
    return loss.to(rows.dtype)


def _multiplies_half_precision(device: torch.device) -> bool:
    """Whether products of half precision can be had there as float32 sums."""
    return device.type == "cuda"


def _is_for_triton(rows: Tensor) -> bool:
    return rows.shape[1] <= _LARGEST_TRITON_DIMENSION and uses_triton(rows)


def log_sums(rows: Tensor, columns: Tensor, scale: float, kept: KeptTiles | None = None) -> tuple[Tensor, Tensor]:
    """Logarithms of the row sums and the column sums of ``exp(scale * rows @ columns.T)``.

    Args:
        rows: Unit vectors.
        columns: Unit vectors.
        scale: What their cosines are multiplied by.
        kept: Takes tiles for `products_with_softmaxes`, where memory holds them.
    """
    if _is_for_triton(rows):
        from selfsent.kernels import triton_contrastive  # noqa: PLC0415 it imports triton

        return triton_contrastive.log_sums(rows, columns, scale)
    return log_sums_in_tiles(rows, columns, scale, kept)


def products_with_softmaxes(
    rows: Tensor, columns: Tensor, row_logs: Tensor, column_logs: Tensor, scale: float, kept: KeptTiles | None = None
) -> tuple[Tensor, Tensor]:
    """``P @ columns`` and ``P.T @ rows``, with P half the sum of the row-wise and the column-wise softmax.

    Args:
        rows: As `log_sums` had them.
        columns: The same.
        row_logs: What that gave for the rows.
        column_logs: What that gave for the columns.
        scale: The same.
        kept: Tiles from there, which are used up.
    """
    if _is_for_triton(rows):
        from selfsent.kernels import triton_contrastive  # noqa: PLC0415 it imports triton

        return triton_contrastive.products_with_softmaxes(rows, columns, row_logs, column_logs, scale)
    return products_in_tiles(rows, columns, row_logs, column_logs, scale, kept)


class _TiledSymmetricInfoNce(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, columns: Tensor, scale: float, across_ranks: bool) -> Tensor:
        gathered = gather_rows(columns, across_ranks=across_ranks)
        ctx.kept = KeptTiles.of_rows(rows) if any(ctx.needs_input_grad) else None
        row_logs, column_logs = log_sums(rows, gathered.values, scale, ctx.kept)
        column_logs = log_sum_over_ranks(column_logs, across_ranks=across_ranks)
        ctx.save_for_backward(rows, gathered.values, row_logs, column_logs)
        ctx.scale, ctx.across_ranks, ctx.own, ctx.num_ranks = scale, across_ranks, gathered.own, gathered.num_ranks
        positives = (rows.to(row_logs) * columns.to(row_logs)).sum().mul_(scale)
        of_rows = sum_over_ranks(row_logs.sum() / 2 - positives, across_ranks=across_ranks)
        return (of_rows + column_logs.sum() / 2) / max(len(column_logs), 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride] its decorator hides the names
        rows, columns, row_logs, column_logs = ctx.saved_tensors
        with torch.autocast(rows.device.type, enabled=False):
            of_rows, of_columns = products_with_softmaxes(rows, columns, row_logs, column_logs, ctx.scale, ctx.kept)
        of_columns = sum_over_ranks(of_columns, across_ranks=ctx.across_ranks)[ctx.own]
        factor = gradients[0].to(row_logs) * (ctx.scale * ctx.num_ranks / max(len(columns), 1))
        sides = (of_rows.sub_(columns[ctx.own]), of_columns.sub_(rows))
        of_rows, of_columns = (side.mul_(factor).to(rows.dtype) for side in sides)
        return of_rows, of_columns, None, None
