"""The sums and products of the contrastive loss in plain torch, a tile of the similarity matrix at a time."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from selfsent.kernels.tensor_parts import equal_parts, over_parts

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


@dataclass(frozen=True)
class KeptTiles:
    """The first tiles of each part of the rows, which the sums leave to the products.

    Args:
        parts: The parts, each for one thread.
        tiles: Tiles by part, in order.
    """

    parts: list[slice]
    tiles: list[list[Tensor]]

    @classmethod
    def of_rows(cls, rows: Tensor) -> "KeptTiles":
        """Divide rows into parts of which nothing is kept yet."""
        parts = equal_parts(len(rows), rows.device)
        return cls(parts, [[] for _ in parts])


def log_sums_in_tiles(
    rows: Tensor, columns: Tensor, scale: float, kept: KeptTiles | None = None
) -> tuple[Tensor, Tensor]:
    """What `log_sums` gives, in plain torch.

    Args:
        rows: Unit vectors.
        columns: Unit vectors.
        scale: What their cosines are multiplied by.
        kept: Takes as many tiles as there is room for, so that `products_in_tiles` need not compute them.
    """
    found = kept or KeptTiles.of_rows(rows)
    num_bytes = 0 if kept is None else _KEPT_BYTES // len(found.parts)
    work = [(rows[part], tiles) for part, tiles in zip(found.parts, found.tiles, strict=True)]
    sums = over_parts(lambda part: _log_sums_of_part(part[0], columns, scale, part[1], num_bytes), work)
    of_columns = torch.stack([of_columns for _, of_columns in sums])
    return torch.cat([of_rows for of_rows, _ in sums]), of_columns.logsumexp(dim=0)


def _log_sums_of_part(
    rows: Tensor, columns: Tensor, scale: float, kept: list[Tensor], num_bytes: int
) -> tuple[Tensor, Tensor]:
    """Sum up the tiles of some rows, and keep the first ones up to a number of bytes."""
    is_bare = scale <= _LARGEST_BARE_SCALE
    start = 0.0 if is_bare else -math.inf
    of_rows, of_columns = (side.new_full((len(side),), start, dtype=_sum_dtype(side)) for side in (rows, columns))
    # Down the rows of tiles, along each: a tile is summed up while it is in the cache.
    for down, across in _tiles(rows, columns):
        tile = _tile(rows[down], columns[across], scale)
        for total, place, axis in zip((of_rows, of_columns), (down, across), (1, 0), strict=True):
            if is_bare:
                total[place] += tile.sum(dim=axis)
            else:
                total[place] = torch.logaddexp(total[place], tile.logsumexp(dim=axis))
        num_bytes -= tile.nbytes
        if num_bytes >= 0:
            kept.append(tile)
    return (of_rows.log_(), of_columns.log_()) if is_bare else (of_rows, of_columns)


def products_in_tiles(
    rows: Tensor, columns: Tensor, row_logs: Tensor, column_logs: Tensor, scale: float, kept: KeptTiles | None = None
) -> tuple[Tensor, Tensor]:
    """What `products_with_softmaxes` gives, in plain torch.

    Args:
        rows: As `log_sums_in_tiles` had them.
        columns: The same.
        row_logs: What that gave for the rows, perhaps with the columns of other ranks.
        column_logs: What that gave for the columns, perhaps with the rows of other ranks.
        scale: The same.
        kept: Tiles from there, which are used up.
    """
    found = kept or KeptTiles.of_rows(rows)
    work = list(zip(found.parts, found.tiles, strict=True))
    sides = over_parts(
        lambda part: _products_of_part(rows[part[0]], columns, row_logs[part[0]], column_logs, scale, part[1]), work
    )
    of_rows, of_columns = zip(*sides, strict=True)
    return torch.cat(of_rows), of_columns[0] if len(of_columns) == 1 else torch.stack(of_columns).sum(dim=0)


def _products_of_part(
    rows: Tensor, columns: Tensor, row_logs: Tensor, column_logs: Tensor, scale: float, kept: list[Tensor]
) -> tuple[Tensor, Tensor]:
    """Add up what the tiles of some rows give; those kept are taken from the list and overwritten."""
    of_rows, of_columns = (torch.zeros_like(side, dtype=row_logs.dtype) for side in (rows, columns))
    kept.reverse()
    # In the order of the sums, so that the kept tiles come first.
    for down, across in _tiles(rows, columns):
        tile = kept.pop() if kept else _tile(rows[down], columns[across], scale)
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
