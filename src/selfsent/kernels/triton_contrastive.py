"""The tiled contrastive loss on a GPU: logarithms of sums, and products with softmaxes, in two Triton kernels.

Both know one direction only and are called again with rows and columns exchanged. So no sum is shared by blocks, the
result does not depend on their order, and a running maximum keeps every temperature exact; the price is six products
instead of the four of `selfsent.kernels.contrastive`, whose sums and products these are. No tile leaves the chip.

Source: Inf-CL (arXiv 2410.17243); the running maximum is that of online softmax (arXiv 1805.02867).
"""

# Triton is not on every machine, so its types are not known where this is checked.
# pyright: reportInvalidTypeForm=false, reportUnknownParameterType=false

from typing import Any

import torch
from torch import Tensor

from selfsent.kernels.triton_language import tl, triton

_LARGEST_BLOCK, _SMALLEST_BLOCK = 64, 16
_BLOCK_BYTES = 1 << 14
"""Of the rows of a block; with two blocks on their way beside it, what every GPU since Turing has room for."""


def log_sums(rows: Tensor, columns: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Logarithms of the row sums and the column sums of ``exp(scale * rows @ columns.T)``, in float32."""
    sides = [side.contiguous() for side in (rows, columns)]
    return _log_row_sums(sides[0], sides[1], scale), _log_row_sums(sides[1], sides[0], scale)


def products_with_softmaxes(
    rows: Tensor, columns: Tensor, row_logs: Tensor, column_logs: Tensor, scale: float
) -> tuple[Tensor, Tensor]:
    """``P @ columns`` and ``P.T @ rows``, with P half the sum of the row-wise and the column-wise softmax; float32."""
    rows, columns = rows.contiguous(), columns.contiguous()
    of_rows = _weighted_sums(rows, columns, row_logs, column_logs, scale)
    return of_rows, _weighted_sums(columns, rows, column_logs, row_logs, scale)


def _log_row_sums(rows: Tensor, columns: Tensor, scale: float) -> Tensor:
    result = rows.new_empty(len(rows), dtype=torch.float32)
    sizes = block_sizes(rows.shape[1], rows.dtype)
    if len(rows):
        with torch.cuda.device_of(rows):
            _log_row_sums_kernel[(triton.cdiv(len(rows), sizes["block"]),)](
                rows, columns, result, scale, len(rows), len(columns), **sizes
            )
    return result


def _weighted_sums(rows: Tensor, columns: Tensor, row_logs: Tensor, column_logs: Tensor, scale: float) -> Tensor:
    result = torch.empty_like(rows, dtype=torch.float32)
    sizes = block_sizes(rows.shape[1], rows.dtype)
    if len(rows):
        with torch.cuda.device_of(rows):
            _weighted_sums_kernel[(triton.cdiv(len(rows), sizes["block"]),)](
                rows, columns, row_logs, column_logs, result, scale, len(rows), len(columns), **sizes
            )
    return result


def block_sizes(dimension: int, dtype: torch.dtype) -> dict[str, Any]:
    """Choose how many rows a program holds, so that they fit beside each other, and how they are multiplied.

    Args:
        dimension: D, values of a row.
        dtype: Data type of the rows.
    """
    padded = max(triton.next_power_of_2(dimension), 16)
    rows_that_fit = _BLOCK_BYTES // (padded * dtype.itemsize)
    is_exact = dtype != torch.float32 or torch.get_float32_matmul_precision() == "highest"
    return {
        "dimension": dimension,
        "block": min(max(rows_that_fit, _SMALLEST_BLOCK), _LARGEST_BLOCK),
        "padded_dimension": padded,
        "precision": "ieee" if is_exact else "tf32",
        "num_stages": 2,
    }


@triton.jit
def _load_block(
    matrix: tl.tensor,
    first: tl.tensor,
    num_rows: tl.tensor,
    dimension: tl.constexpr,
    block: tl.constexpr,
    padded: tl.constexpr,
) -> tl.tensor:
    """Rows ``first`` to ``first + block``, zeros beyond the matrix."""
    place = first + tl.arange(0, block)
    value = tl.arange(0, padded)
    inside = (place < num_rows)[:, None] & (value < dimension)[None, :]
    return tl.load(matrix + place[:, None].to(tl.int64) * dimension + value[None, :], mask=inside, other=0.0)


@triton.jit
def _log_row_sums_kernel(
    rows: tl.tensor,
    columns: tl.tensor,
    result: tl.tensor,
    scale: tl.tensor,
    num_rows: tl.tensor,
    num_columns: tl.tensor,
    dimension: tl.constexpr,
    block: tl.constexpr,
    padded_dimension: tl.constexpr,
    precision: tl.constexpr,
) -> None:
    """One block of rows over all columns: running maxima and sums."""
    first = tl.program_id(0) * block
    row = first + tl.arange(0, block)
    own = _load_block(rows, first, num_rows, dimension, block, padded_dimension)
    maxima = tl.full([block], float("-inf"), tl.float32)
    sums = tl.zeros([block], tl.float32)
    for start in range(0, num_columns, block):
        others = _load_block(columns, start, num_columns, dimension, block, padded_dimension)
        logits = tl.dot(own, tl.trans(others), input_precision=precision) * scale
        is_column = (start + tl.arange(0, block) < num_columns)[None, :]
        logits = tl.where(is_column, logits, float("-inf"))
        larger = tl.maximum(maxima, tl.max(logits, axis=1))
        sums = sums * tl.exp(maxima - larger) + tl.sum(tl.exp(logits - larger[:, None]), axis=1)
        maxima = larger
    tl.store(result + row, maxima + tl.log(sums), mask=row < num_rows)


@triton.jit
def _weighted_sums_kernel(
    rows: tl.tensor,
    columns: tl.tensor,
    row_logs: tl.tensor,
    column_logs: tl.tensor,
    result: tl.tensor,
    scale: tl.tensor,
    num_rows: tl.tensor,
    num_columns: tl.tensor,
    dimension: tl.constexpr,
    block: tl.constexpr,
    padded_dimension: tl.constexpr,
    precision: tl.constexpr,
) -> None:
    """One block of rows: the columns' sum, weighted by both softmaxes, which are computed anew."""
    first = tl.program_id(0) * block
    row = first + tl.arange(0, block)
    own = _load_block(rows, first, num_rows, dimension, block, padded_dimension)
    own_logs = tl.load(row_logs + row, mask=row < num_rows, other=float("inf"))
    total = tl.zeros([block, padded_dimension], tl.float32)
    for start in range(0, num_columns, block):
        column = start + tl.arange(0, block)
        others = _load_block(columns, start, num_columns, dimension, block, padded_dimension)
        other_logs = tl.load(column_logs + column, mask=column < num_columns, other=float("inf"))
        logits = tl.dot(own, tl.trans(others), input_precision=precision) * scale
        share = tl.exp(logits - own_logs[:, None]) + tl.exp(logits - other_logs[None, :])
        share = tl.where((column < num_columns)[None, :], 0.5 * share, 0.0)
        total += tl.dot(share.to(others.dtype), others, input_precision=precision)
    value = tl.arange(0, padded_dimension)
    inside = (row < num_rows)[:, None] & (value < dimension)[None, :]
    tl.store(result + row[:, None].to(tl.int64) * dimension + value[None, :], total, mask=inside)
