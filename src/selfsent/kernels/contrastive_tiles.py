"""The sums and products of the contrastive loss in plain torch, a tile of the similarity matrix at a time."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

# Of a CPU, measured (benchmarks/README.md): a tile of 1 MiB, and products large enough for the library's rate.
_TILE_ROWS, _TILE_COLUMNS = 512, 512
# Elsewhere launches cost more than memory.
_LARGE_TILE_COLUMNS = 2048
# Of tiles that the sums leave to the products: the matrix of 8,192 nodes, of which no tile is computed twice.
_KEPT_BYTES = 1 << 28
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


def _tiles(rows: Tensor, columns: Tensor) -> Iterator[tuple[slice, slice]]:
    width = _TILE_COLUMNS if rows.device.type == "cpu" else _LARGE_TILE_COLUMNS
    for row in range(0, len(rows), _TILE_ROWS):
        for column in range(0, len(columns), width):
            yield slice(row, min(row + _TILE_ROWS, len(rows))), slice(column, min(column + width, len(columns)))


def _tile(rows: Tensor, columns: Tensor, scale: float) -> Tensor:
    """Compute one tile of logits; their exponentials, where the scale lets those stay inside float32."""
    logits = _logits(rows, columns, scale)
    return logits if scale > _LARGEST_BARE_SCALE else logits.exp_()


def log_sums_in_tiles(
    rows: Tensor, columns: Tensor, scale: float, kept: list[Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """What `log_sums` gives, in plain torch.

    Args:
        rows: Unit vectors.
        columns: Unit vectors.
        scale: What their cosines are multiplied by.
        kept: Takes the first tiles, as many as there is room for, so that `products_in_tiles` need not compute them.
    """
    sides = (rows, columns)
    if scale > _LARGEST_BARE_SCALE:
        sums = tuple(side.new_full((len(side),), -math.inf, dtype=_sum_dtype(side)) for side in sides)
    else:
        sums = tuple(side.new_zeros(len(side), dtype=_sum_dtype(side)) for side in sides)
    num_bytes = 0
    # Down the rows of tiles, along each: a tile is summed up while it is in the cache.
    for down, across in _tiles(rows, columns):
        tile = _tile(rows[down], columns[across], scale)
        for total, place, axis in zip(sums, (down, across), (1, 0), strict=True):
            if scale > _LARGEST_BARE_SCALE:
                total[place] = torch.logaddexp(total[place], tile.logsumexp(dim=axis))
            else:
                total[place] += tile.sum(dim=axis)
        num_bytes += tile.nbytes
        if kept is not None and num_bytes <= _KEPT_BYTES:
            kept.append(tile)
    first, second = sums
    return (first, second) if scale > _LARGEST_BARE_SCALE else (first.log_(), second.log_())


def products_in_tiles(
    rows: Tensor, columns: Tensor, row_logs: Tensor, column_logs: Tensor, scale: float, kept: list[Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """What `products_with_softmaxes` gives, in plain torch.

    Args:
        rows: As `log_sums_in_tiles` had them.
        columns: The same.
        row_logs: What that gave for the rows, perhaps with the columns of other ranks.
        column_logs: What that gave for the columns, perhaps with the rows of other ranks.
        scale: The same.
        kept: The first tiles, from there; the list is emptied, as they are overwritten.
    """
    of_rows, of_columns = (torch.zeros_like(side, dtype=row_logs.dtype) for side in (rows, columns))
    ready = kept or []
    ready.reverse()
    # In the order of the sums, so that the kept tiles come first.
    for down, across in _tiles(rows, columns):
        tile = ready.pop() if ready else _tile(rows[down], columns[across], scale)
        share = _mean_of_softmaxes(tile, row_logs[down], column_logs[across], scale)
        if share.dtype == rows.dtype:
            of_rows[down].addmm_(share, columns[across])
            of_columns[across].addmm_(share.T, rows[down])
        else:
            share = share.to(rows.dtype)
            of_rows[down] += _product(share, columns[across])
            of_columns[across] += _product(share.T, rows[down])
    return of_rows, of_columns


def _mean_of_softmaxes(tile: Tensor, row_logs: Tensor, column_logs: Tensor, scale: float) -> Tensor:
    """Half the sum of a tile's row-wise and column-wise softmax: ``(e^(s - r_i) + e^(s - c_j)) / 2``."""
    if scale > _LARGEST_BARE_SCALE:
        by_rows = (tile - row_logs[:, None]).exp_()
        return by_rows.add_((tile - column_logs).exp_()).mul_(0.5)
    halves = row_logs.neg().exp_().mul_(0.5)[:, None] + column_logs.neg().exp_().mul_(0.5)
    return tile.mul_(halves)
