"""The softmax of a few rows over a long queue: logarithms of its sums and its means, in tiles.

A divergence between two such distributions needs nothing else. With ``s = <query, d_j>`` and ``p = softmax(s)``, its
mean ``m = sum_j p_j d_j`` gives both the expected similarity ``sum_j p_j <y, d_j> = <y, m>`` for any vector ``y`` and
the gradient ``d log sum_j e^(s_j) / d query = m``. So one pass over the queue with a running maximum is forward and
backward at once, no probability is stored, and the queue may change before ``backward``.

Source: SCT (Limkonchotiwat et al., TACL 2023), similarity distributions over instance queues; the running maximum and
the rescaled sums are those of online softmax (Milakov and Gimelshein, arXiv 1805.02867) and FlashAttention.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

# Of a CPU: 256 x 512 logits and the 512 rows of the queue they come from stay in a core's caches.
_TILE_ROWS, _TILE_COLUMNS = 256, 512
# Elsewhere launches cost more than memory.
_LARGE_TILE_COLUMNS = 16_384
_HALF_PRECISION = (torch.bfloat16, torch.float16)


def queue_softmax(
    queries: Float[Tensor, "B D"], *blocks: Float[Tensor, "_ D"]
) -> tuple[Float[Tensor, " B"], Float[Tensor, "B D"]]:
    """Compare each query with the rows of all blocks, by inner product, and sum up the softmax over them.

    Args:
        queries: Unit vectors divided by the temperature; their gradient comes through the logarithms of the sums.
        blocks: The queue, perhaps followed by the rows of the batch. They get no gradient.

    Returns:
        ``log sum_j exp <query, d_j>``, and the mean of the ``d_j`` under the softmax, which carries no gradient. Both
        are computed in float32 at least, whatever the precision of the queries, and returned in that precision.
    """
    dtype = queries.dtype
    with torch.autocast(queries.device.type, enabled=False):
        exact = queries.float() if dtype in _HALF_PRECISION else queries
        log_sums, means = _QueueSoftmax.apply(exact, *blocks)
    return log_sums.to(dtype), means.to(dtype)


class _QueueSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, queries: Tensor, *blocks: Tensor) -> tuple[Tensor, Tensor]:
        log_sums, means = _sum_up(queries, blocks)
        ctx.save_for_backward(means)
        ctx.mark_non_differentiable(means)
        ctx.num_blocks = len(blocks)
        return log_sums, means

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride] its decorator hides the names
        (means,) = ctx.saved_tensors
        return gradients[0][:, None] * means, *([None] * ctx.num_blocks)


def _sum_up(queries: Tensor, blocks: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Go once over all tiles of the blocks; what was summed before is rescaled where a larger maximum is found."""
    maxima = queries.new_full((len(queries), 1), -torch.inf)
    sums = queries.new_zeros(len(queries), 1)
    means = torch.zeros_like(queries)
    num_rows = _TILE_ROWS if queries.device.type == "cpu" else max(len(queries), 1)
    groups = list(zip(*(tensor.split(num_rows) for tensor in (queries, maxima, sums, means)), strict=True))
    for tile in _tiles(blocks):
        candidates = tile.to(queries.dtype)
        for group in groups:
            _take_in(candidates, *group)
    return (sums.log() + maxima).squeeze(1), means.div_(sums)


def _take_in(candidates: Tensor, queries: Tensor, maxima: Tensor, sums: Tensor, means: Tensor) -> None:
    """Add one tile to the running maxima, sums and means of some queries."""
    logits = torch.mm(queries, candidates.T)
    maximum = torch.maximum(maxima, logits.amax(dim=1, keepdim=True))
    decay = (maxima - maximum).exp_()
    weights = logits.sub_(maximum).exp_()
    maxima.copy_(maximum)
    sums.mul_(decay).add_(weights.sum(dim=1, keepdim=True))
    means.mul_(decay).addmm_(weights, candidates)


def _tiles(blocks: Sequence[Tensor]) -> Iterator[Tensor]:
    for block in blocks:
        yield from block.split(_TILE_COLUMNS if block.device.type == "cpu" else _LARGE_TILE_COLUMNS)
