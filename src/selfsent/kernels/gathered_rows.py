"""Rows of all ranks that train together, as one matrix: what a contrastive loss compares one rank's rows with."""

from dataclasses import dataclass

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class GatheredRows:
    """Rows of all ranks, in the order of ranks.

    Args:
        values: The rows, without gradient.
        own: Where this rank's rows stand.
        num_ranks: Ranks that gave rows; 1 without a process group.
    """

    values: Float[Tensor, "M D"]
    own: slice
    num_ranks: int


def gather_rows(rows: Float[Tensor, "N D"], *, across_ranks: bool) -> GatheredRows:
    """Gather rows from all ranks, of which each may have another number, or only take this rank's.

    Args:
        rows: This rank's rows.
        across_ranks: Whether to ask the other ranks; every rank must ask.
    """
    if not across_ranks:
        return GatheredRows(rows, slice(0, len(rows)), 1)
    num_ranks, rank = dist.get_world_size(), dist.get_rank()
    count = torch.tensor([len(rows)], device=rows.device)
    counts = [torch.empty_like(count) for _ in range(num_ranks)]
    dist.all_gather(counts, count)
    sizes = [int(size) for size in counts]
    padded = rows.new_zeros(max(sizes), rows.shape[1])
    padded[: len(rows)] = rows
    parts = [torch.empty_like(padded) for _ in range(num_ranks)]
    dist.all_gather(parts, padded)
    values = torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])
    first = sum(sizes[:rank])
    return GatheredRows(values, slice(first, first + len(rows)), num_ranks)


def sum_over_ranks(values: Tensor, *, across_ranks: bool) -> Tensor:
    """Add up what the ranks hold, in place; without other ranks, leave it as it is."""
    if across_ranks:
        dist.all_reduce(values)
    return values


def log_sum_over_ranks(logs: Float[Tensor, " M"], *, across_ranks: bool) -> Float[Tensor, " M"]:
    """Logarithms of the sums over ranks of what these are the logarithms of."""
    if not across_ranks:
        return logs
    largest = logs.clone()
    dist.all_reduce(largest, dist.ReduceOp.MAX)
    sums = (logs - largest).exp_()
    dist.all_reduce(sums)
    return sums.log_().add_(largest)


def fair_share(count: int, like: Tensor) -> Float[Tensor, ""]:
    """This rank's fair share of a count over all ranks: a sum divided by it averages over ranks to the whole's mean.

    Args:
        count: What this rank has, such as tokens to recover.
        like: A tensor of this rank's device.

    Returns:
        The count itself without other ranks; never 0, since a sum over nothing is 0 as well.
    """
    total = torch.tensor(float(count), device=like.device)
    if trains_across_ranks():
        dist.all_reduce(total)
        total = total / dist.get_world_size()
    return total.clamp(min=torch.finfo(total.dtype).tiny)


def mean_of_all_ranks(mean: Float[Tensor, ""], count: int) -> Float[Tensor, ""]:
    """Weigh a mean by how many items it is of, so that ranks average to the mean over the items of all.

    Args:
        mean: Over this rank's items.
        count: How many these are.
    """
    return mean * (count / fair_share(count, mean)).to(mean.dtype) if trains_across_ranks() else mean


def trains_across_ranks() -> bool:
    """Whether this process is one of several that take a training step together; not where nothing is recorded."""
    return torch.is_grad_enabled() and dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
