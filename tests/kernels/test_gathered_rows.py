"""The tiled loss on two gloo ranks: loss and averaged gradients are those of one process that holds all rows."""

import pytest
import torch
import torch.distributed as dist
from tests.processes import on_two_ranks
from torch import Tensor
from torch.nn import functional

from selfsent.kernels import contrastive_tiles, gathered_rows
from selfsent.kernels.contrastive import tiled_symmetric_info_nce
from selfsent.kernels.gathered_rows import gather_rows

SIZES = [(5, 5), (7, 90), (0, 4), (0, 0)]
TEMPERATURES = [0.8187, 0.02]


def all_rows(num_rows: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(num_rows)
    sides = (torch.randn(num_rows, 6, generator=generator, dtype=torch.float64) for _ in range(2))
    return tuple(functional.normalize(side, dim=1) for side in sides)


def loss_and_gradients(
    weights: Tensor, sides: tuple[Tensor, ...], temperature: float, *, across_ranks: bool
) -> list[Tensor]:
    """The loss of rows that one matrix of weights makes, as a model would: its gradient is what ranks average."""
    weights = weights.clone().requires_grad_()
    rows, columns = (functional.normalize(side @ weights, dim=1) for side in sides)
    loss = tiled_symmetric_info_nce(rows, columns, temperature=temperature, across_ranks=across_ranks)
    return [loss.detach(), *torch.autograd.grad(loss, weights)]


def weights() -> Tensor:
    return torch.randn(6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def rank_results(rank: int) -> dict[tuple, list[Tensor]]:
    contrastive_tiles._TILE_ROWS, contrastive_tiles._TILE_COLUMNS = 16, 24
    results = {}
    for sizes in SIZES:
        own = slice(sum(sizes[:rank]), sum(sizes[: rank + 1]))
        sides = tuple(side[own] for side in all_rows(sum(sizes)))
        assert torch.equal(gather_rows(sides[0], across_ranks=True).values, all_rows(sum(sizes))[0])
        for temperature in TEMPERATURES:
            results[sizes, temperature] = loss_and_gradients(weights(), sides, temperature, across_ranks=True)
    return results


@pytest.fixture(scope="module")
def of_ranks() -> list[dict[tuple, list[Tensor]]]:
    return on_two_ranks(rank_results)


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_two_ranks_give_the_loss_and_the_gradients_of_one_process(of_ranks, sizes: tuple[int, int], temperature: float):
    expected = loss_and_gradients(weights(), all_rows(sum(sizes)), temperature, across_ranks=False)
    one, other = (results[sizes, temperature] for results in of_ranks)
    torch.testing.assert_close(one[0], expected[0])
    torch.testing.assert_close(other[0], expected[0])
    torch.testing.assert_close((one[1] + other[1]) / 2, expected[1], rtol=1e-9, atol=1e-12)


def test_without_other_ranks_rows_are_left_as_they_are():
    rows = torch.randn(3, 2)
    gathered = gather_rows(rows, across_ranks=False)
    assert gathered.values is rows
    assert (gathered.own, gathered.num_ranks) == (slice(0, 3), 1)


def test_a_mean_counts_by_how_many_items_it_is_of(monkeypatch: pytest.MonkeyPatch):
    mean = torch.tensor(2.0)
    assert gathered_rows.mean_of_all_ranks(mean, 3) is mean
    assert gathered_rows.fair_share(0, mean) > 0
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "all_reduce", lambda total: total.add_(5))
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    assert gathered_rows.fair_share(3, mean) == 4  # half of the 3 here and the 5 there
    assert gathered_rows.mean_of_all_ranks(mean, 3) == 1.5
