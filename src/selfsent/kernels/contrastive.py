"""The symmetric contrastive loss of many rows against many columns, in tiles.

Memory grows with the rows, not with their square.

Source: Opper et al., EMNLP 2023 (node-contrastive objective); tiling as in Inf-CL (arXiv 2410.17243).
The similarity matrix is computed twice, a tile at a time, forward for its row and column sums and backward for the
gradients: four products of ``2 N^2 D`` operations and two exponentials a pair in all. On a GPU the tiles are Triton's
(`selfsent.kernels.triton_contrastive`) where it works, torch's elsewhere.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from selfsent.kernels.gathered_rows import gather_rows, log_sum_over_ranks, sum_over_ranks
from selfsent.kernels.triton_choice import uses_triton

# Of a CPU, measured (benchmarks/README.md): a tile of 4 MiB, and products large enough for the library's rate.
_TILE_ROWS, _TILE_COLUMNS = 512, 2048
_LARGEST_TRITON_DIMENSION = 256  # a block of longer rows does not fit a GPU's multiprocessor
# Exponentials of scaled cosines, and sums of millions of them, stay well inside float32; above, maxima are taken out.
_LARGEST_BARE_SCALE = 30.0
# Sums of thousands of terms do not fit their few bits.
_HALF_PRECISION = (torch.bfloat16, torch.float16)


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
        is_widened = rows.dtype in _HALF_PRECISION and not _multiplies_half_precision(rows.device)
        sides = (side.float() if is_widened else side for side in (rows, columns))
        loss: Any = _TiledSymmetricInfoNce.apply(*sides, 1.0 / temperature, across_ranks)
    return loss.to(rows.dtype)


def _multiplies_half_precision(device: torch.device) -> bool:
    """Whether products of half precision can be had there as float32 sums."""
    return device.type == "cuda"


def _product(one: Tensor, other: Tensor) -> Tensor:
    """Multiply two matrices, with float32 sums of half-precision products."""
    return torch.mm(one, other, out_dtype=torch.float32) if one.dtype in _HALF_PRECISION else torch.mm(one, other)


def _logits(rows: Tensor, columns: Tensor, scale: float) -> Tensor:
    if rows.dtype in _HALF_PRECISION:  # the scale would be rounded with the rows
        return _product(rows, columns.T).mul_(scale)
    return torch.mm(rows * scale, columns.T)


def _sum_dtype(rows: Tensor) -> torch.dtype:
    return torch.float32 if rows.dtype in _HALF_PRECISION else rows.dtype


def _tiles(num_rows: int, num_columns: int) -> Iterator[tuple[slice, slice]]:
    for row in range(0, num_rows, _TILE_ROWS):
        for column in range(0, num_columns, _TILE_COLUMNS):
            yield slice(row, min(row + _TILE_ROWS, num_rows)), slice(column, min(column + _TILE_COLUMNS, num_columns))


def _is_for_triton(rows: Tensor) -> bool:
    return rows.shape[1] <= _LARGEST_TRITON_DIMENSION and uses_triton(rows)


def log_sums(rows: Tensor, columns: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Logarithms of the row sums and the column sums of ``exp(scale * rows @ columns.T)``."""
    if _is_for_triton(rows):
        from selfsent.kernels import triton_contrastive  # noqa: PLC0415 it imports triton

        return triton_contrastive.log_sums(rows, columns, scale)
    return log_sums_in_tiles(rows, columns, scale)


def products_with_softmaxes(
    rows: Tensor, columns: Tensor, row_logs: Tensor, column_logs: Tensor, scale: float
) -> tuple[Tensor, Tensor]:
    """``P @ columns`` and ``P.T @ rows``, with P half the sum of the row-wise and the column-wise softmax."""
    if _is_for_triton(rows):
        from selfsent.kernels import triton_contrastive  # noqa: PLC0415 it imports triton

        return triton_contrastive.products_with_softmaxes(rows, columns, row_logs, column_logs, scale)
    return products_in_tiles(rows, columns, row_logs, column_logs, scale)


def log_sums_in_tiles(rows: Tensor, columns: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """What `log_sums` gives, in plain torch."""
    if scale > _LARGEST_BARE_SCALE:
        return _log_sums_with_running_maximum(rows, columns, scale)
    row_sums, column_sums = (side.new_zeros(len(side), dtype=_sum_dtype(side)) for side in (rows, columns))
    for down, across in _tiles(len(rows), len(columns)):
        weights = _logits(rows[down], columns[across], scale).exp_()
        row_sums[down] += weights.sum(dim=1)
        column_sums[across] += weights.sum(dim=0)
    return row_sums.log_(), column_sums.log_()


def _log_sums_with_running_maximum(rows: Tensor, columns: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    row_logs, column_logs = (side.new_full((len(side),), -math.inf, dtype=_sum_dtype(side)) for side in (rows, columns))
    for down, across in _tiles(len(rows), len(columns)):
        logits = _logits(rows[down], columns[across], scale)
        row_logs[down] = torch.logaddexp(row_logs[down], logits.logsumexp(dim=1))
        column_logs[across] = torch.logaddexp(column_logs[across], logits.logsumexp(dim=0))
    return row_logs, column_logs


class _TiledSymmetricInfoNce(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, columns: Tensor, scale: float, across_ranks: bool) -> Tensor:
        gathered = gather_rows(columns, across_ranks=across_ranks)
        row_logs, column_logs = log_sums(rows, gathered.values, scale)
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
            of_rows, of_columns = products_with_softmaxes(rows, columns, row_logs, column_logs, ctx.scale)
        of_columns = sum_over_ranks(of_columns, across_ranks=ctx.across_ranks)[ctx.own]
        factor = gradients[0].to(row_logs) * (ctx.scale * ctx.num_ranks / max(len(columns), 1))
        sides = (of_rows.sub_(columns[ctx.own]), of_columns.sub_(rows))
        of_rows, of_columns = (side.mul_(factor).to(rows.dtype) for side in sides)
        return of_rows, of_columns, None, None


def products_in_tiles(
    rows: Tensor, columns: Tensor, row_logs: Tensor, column_logs: Tensor, scale: float
) -> tuple[Tensor, Tensor]:
    """What `products_with_softmaxes` gives, in plain torch."""
    of_rows, of_columns = (torch.zeros_like(side, dtype=row_logs.dtype) for side in (rows, columns))
    for down, across in _tiles(len(rows), len(columns)):
        logits = _logits(rows[down], columns[across], scale)
        share = _mean_of_softmaxes(logits, row_logs[down], column_logs[across], scale)
        if share.dtype == rows.dtype:
            of_rows[down].addmm_(share, columns[across])
            of_columns[across].addmm_(share.T, rows[down])
        else:
            share = share.to(rows.dtype)
            of_rows[down] += _product(share, columns[across])
            of_columns[across] += _product(share.T, rows[down])
    return of_rows, of_columns


def _mean_of_softmaxes(logits: Tensor, row_logs: Tensor, column_logs: Tensor, scale: float) -> Tensor:
    """Half the sum of a tile's row-wise and column-wise softmax: ``(e^(s - r_i) + e^(s - c_j)) / 2``."""
    if scale > _LARGEST_BARE_SCALE:
        by_rows = (logits - row_logs[:, None]).exp_()
        return by_rows.add_((logits - column_logs).exp_()).mul_(0.5)
    halves = row_logs.neg().exp_().mul_(0.5)[:, None] + column_logs.neg().exp_().mul_(0.5)
    return logits.exp_().mul_(halves)
