"""The symmetric contrastive loss of many rows against many columns, in tiles.

Memory grows with the rows, not with their square.

Source: Opper et al., EMNLP 2023 (node-contrastive objective); tiling as in Inf-CL (arXiv 2410.17243).
The similarity matrix is computed twice, a tile at a time, forward for its row and column sums and backward for the
gradients: four products of ``2 N^2 D`` operations and two exponentials a pair in all.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

_TILE_ROWS = 256
# exp(2 * scale) must stay well inside float32 for sums around a fixed maximum; above, a running maximum is kept.
_LARGEST_FIXED_SCALE = 30.0
# Sums of thousands of terms do not fit their few bits.
_HALF_PRECISION = (torch.bfloat16, torch.float16)


def tiled_symmetric_info_nce(
    rows: Float[Tensor, "N D"], columns: Float[Tensor, "N D"], *, temperature: float
) -> Float[Tensor, ""]:
    """Mean of the row-wise and the column-wise cross-entropy of ``rows @ columns.T / temperature`` with the identity.

    Args:
        rows: Unit vectors.
        columns: Unit vectors; row ``i`` and column ``i`` are a positive pair, all others are negatives of each other.
        temperature: Divides the cosines; positive.

    Returns:
        The loss, in nats; 0 where there are no rows. It is computed in float32 at least, whatever the precision of
        the rows. Gradients reach both sides; double backward is refused.
    """
    if not len(rows):
        return (rows + columns).sum()
    with torch.autocast(rows.device.type, enabled=False):
        sides = (side.float() if side.dtype in _HALF_PRECISION else side for side in (rows, columns))
        loss: Any = _TiledSymmetricInfoNce.apply(*sides, 1.0 / temperature)
    return loss.to(rows.dtype)


def _tiles(num_rows: int) -> Iterator[slice]:
    return (slice(start, min(start + _TILE_ROWS, num_rows)) for start in range(0, num_rows, _TILE_ROWS))


def _log_sums(rows: Tensor, columns: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Logarithms of the row sums and the column sums of ``exp(scale * rows @ columns.T)``."""
    if scale > _LARGEST_FIXED_SCALE:
        return _log_sums_with_running_maximum(rows, columns, scale)
    row_sums = rows.new_empty(len(rows))
    column_sums = rows.new_zeros(len(columns))
    for tile in _tiles(len(rows)):
        weights = torch.mm(rows[tile] * scale, columns.T).sub_(scale).exp_()
        torch.sum(weights, dim=1, out=row_sums[tile])
        column_sums += weights.sum(dim=0)
    return row_sums.log_().add_(scale), column_sums.log_().add_(scale)


def _log_sums_with_running_maximum(rows: Tensor, columns: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    row_logs = rows.new_empty(len(rows))
    column_logs = rows.new_full((len(columns),), -math.inf)
    for tile in _tiles(len(rows)):
        logits = torch.mm(rows[tile] * scale, columns.T)
        row_logs[tile] = logits.logsumexp(dim=1)
        column_logs = torch.logaddexp(column_logs, logits.logsumexp(dim=0))
    return row_logs, column_logs


class _TiledSymmetricInfoNce(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, columns: Tensor, scale: float) -> Tensor:
        row_logs, column_logs = _log_sums(rows, columns, scale)
        ctx.save_for_backward(rows, columns, row_logs, column_logs)
        ctx.scale = scale
        positives = (rows * columns).sum(dim=1).mul_(scale)
        return (row_logs + column_logs).mean() / 2 - positives.mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride] its decorator hides the names
        rows, columns, row_logs, column_logs = ctx.saved_tensors
        of_rows, of_columns = -columns, -rows
        with torch.autocast(rows.device.type, enabled=False):
            for tile in _tiles(len(rows)):
                logits = torch.mm(rows[tile] * ctx.scale, columns.T)
                share = _mean_of_softmaxes(logits, row_logs[tile], column_logs)
                of_rows[tile].addmm_(share, columns)
                of_columns.addmm_(share.T, rows[tile])
        factor = gradients[0] * (ctx.scale / len(rows))
        return of_rows.mul_(factor), of_columns.mul_(factor), None


def _mean_of_softmaxes(logits: Tensor, row_logs: Tensor, column_logs: Tensor) -> Tensor:
    """Half the sum of a tile's row-wise and column-wise softmax: ``(e^(s - r_i) + e^(s - c_j)) / 2``.

    Where the two exponents' spread allows it, one exponential serves both.
    """
    shift = float(row_logs.max().maximum(column_logs.max()))
    if shift - float(row_logs.min().minimum(column_logs.min())) > _LARGEST_FIXED_SCALE:
        by_rows = (logits - row_logs[:, None]).exp_()
        return by_rows.add_((logits - column_logs).exp_()).mul_(0.5)
    factor = ((shift - row_logs).exp_().mul_(0.5)[:, None]) + ((shift - column_logs).exp_().mul_(0.5))
    return logits.sub_(shift).exp_().mul_(factor)
