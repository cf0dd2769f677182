"""The sums and products of the contrastive loss in plain torch, a tile of the similarity matrix at a time."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

# Of a CPU, measured (benchmarks/README.md): a tile of 4 MiB, and products large enough for the library's rate.
_TILE_ROWS, _TILE_COLUMNS = 512, 2048
# Exponentials of scaled cosines, and sums of millions of them, stay well inside float32; above, maxima are taken out.
_LARGEST_BARE_SCALE = 30.0
# Sums of thousands of terms do not fit their few bits.
HALF_PRECISION = (torch.bfloat16, torch.float16)


def _product(one: Tensor, other: Tensor) -> Tensor:
    """Multiply two matrices, with float32 sums of half-precision products."""
    return torch.mm(one, other, out_dtype=torch.float32) if one.dtype in HALF_PRECISION else torch.mm(one, other)


def _logits(rows: Tensor, columns: Tensor, scale: float) -> Tensor:
    if rows.dtype in HALF_PRECISION:  # the scale would be rounded with the rows
        return _product(rows, columns.T).mul_(scale)
    return torch.mm(rows * scale, columns.T)


def _sum_dtype(rows: Tensor) -> torch.dtype:
    return torch.float32 if rows.dtype in HALF_PRECISION else rows.dtype


def _tiles(num_rows: int, num_columns: int) -> Iterator[tuple[slice, slice]]:
    for row in range(0, num_rows, _TILE_ROWS):
        for column in range(0, num_columns, _TILE_COLUMNS):
            yield slice(row, min(row + _TILE_ROWS, num_rows)), slice(column, min(column + _TILE_COLUMNS, num_columns))


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
