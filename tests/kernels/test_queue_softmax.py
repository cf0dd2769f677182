"""The softmax over a queue in one pass equals the plain one, in value and in gradient."""

import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from selfsent.kernels import queue_softmax as kernel
from selfsent.kernels.queue_softmax import queue_softmax


def unit_rows(num_rows: int, width: int = 8, dtype: torch.dtype = torch.float64) -> Tensor:
    return functional.normalize(torch.randn(num_rows, width, dtype=dtype), dim=1)


def plain(queries: Tensor, *blocks: Tensor) -> tuple[Tensor, Tensor]:
    candidates = torch.cat(blocks)
    logits = queries @ candidates.T
    return logits.logsumexp(dim=1), logits.softmax(dim=1) @ candidates


@settings(max_examples=40, deadline=None)
@given(
    num_queries=st.integers(1, 9),
    sizes=st.lists(st.integers(1, 23), min_size=1, max_size=3),
    temperature=st.sampled_from([0.01, 0.05, 1.0, 20.0]),
    seed=st.integers(0, 10_000),
)
def test_every_shape_and_temperature_equals_the_plain_softmax(num_queries, sizes, temperature, seed):
    torch.manual_seed(seed)
    queries = unit_rows(num_queries) / temperature
    blocks = [unit_rows(size) for size in sizes]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "_TILE_ROWS", 4)
        patch.setattr(kernel, "_TILE_COLUMNS", 5)
        found = queue_softmax(queries, *blocks)
    for ours, expected in zip(found, plain(queries, *blocks), strict=True):
        torch.testing.assert_close(ours, expected)


def test_the_gradient_of_the_sums_is_that_of_the_plain_formula():
    queries, queue = (unit_rows(3) / 0.1).requires_grad_(), unit_rows(700)
    assert torch.autograd.gradcheck(lambda rows: queue_softmax(rows, queue)[0], queries)
    gradient = torch.autograd.grad(queue_softmax(queries, queue)[0].pow(2).sum(), queries)
    expected = torch.autograd.grad(plain(queries, queue)[0].pow(2).sum(), queries)
    torch.testing.assert_close(gradient, expected)


def test_a_queue_that_changes_before_backward_changes_no_gradient():
    queries, queue = unit_rows(3).requires_grad_(), unit_rows(20)
    expected = torch.autograd.grad(plain(queries, queue.clone())[0].sum(), queries)
    log_sums, _ = queue_softmax(queries, queue)
    queue.zero_()
    torch.testing.assert_close(torch.autograd.grad(log_sums.sum(), queries), expected)


def test_similarities_far_below_the_largest_possible_do_not_vanish():
    # At temperature 0.01 every weight of an opposite row is e^-200 of the largest possible: below float32.
    row = unit_rows(1, dtype=torch.float32)
    log_sums, means = queue_softmax(row / 0.01, -row.repeat(600, 1))
    torch.testing.assert_close(log_sums, torch.tensor([-100.0]) + torch.tensor(600.0).log())
    torch.testing.assert_close(means, -row)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_summed_in_float32(dtype):
    queries, queue = unit_rows(4, dtype=torch.float32).to(dtype), unit_rows(3000, dtype=torch.float32).to(dtype)
    found = queue_softmax(queries, queue)
    expected = plain(queries.float(), queue.float())
    for ours, exact in zip(found, expected, strict=True):
        assert ours.dtype == dtype
        torch.testing.assert_close(ours, exact.to(dtype))


def test_autocast_does_not_lower_the_precision():
    queries, queue = unit_rows(4, dtype=torch.float32), unit_rows(600, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        found = queue_softmax(queries, queue)
    for ours, expected in zip(found, queue_softmax(queries, queue), strict=True):
        assert torch.equal(ours, expected)


_PEAK_OF_A_PROCESS = """
import resource, torch
from selfsent.kernels.queue_softmax import queue_softmax
torch.set_num_threads(1)
queue = torch.nn.functional.normalize(torch.randn(100_000, 8), dim=1)
queries = torch.randn(256, 8, requires_grad=True)
queue_softmax(queries[:2], queue[:600])[0].sum().backward()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
queue_softmax(queries, queue)[0].sum().backward()
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def test_no_matrix_of_probabilities_is_ever_held():
    pytest.importorskip("resource")
    done = subprocess.run(
        [sys.executable, "-c", _PEAK_OF_A_PROCESS], capture_output=True, text=True, check=True, timeout=200
    )
    probabilities = 256 * 100_000 * 4
    assert int(done.stdout) < probabilities / 10
