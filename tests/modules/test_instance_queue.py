"""The queue against `collections.deque`."""

from collections import deque

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tests.processes import on_two_ranks

from selfsent.errors import UserError
from selfsent.modules.instance_queue import InstanceQueue


@settings(max_examples=100, deadline=None)
@given(num_rows=st.integers(1, 12), batches=st.lists(st.integers(0, 30), max_size=12))
def test_it_is_a_deque_for_every_batch_size(num_rows: int, batches: list[int]):
    queue = InstanceQueue(num_rows, 2)
    expected = deque(queue.rows.clone().unbind(), maxlen=num_rows)
    for size in batches:
        rows = torch.randn(size, 2)
        held = queue.enqueue(rows)
        expected.extend(rows.unbind())
        assert torch.equal(queue.oldest_first(), torch.stack(list(expected)))
        assert held is queue.rows


def test_the_order_is_that_of_a_deque_after_a_batch_larger_than_the_queue():
    queue = InstanceQueue(3, 1)
    for values in ([1.0, 2.0], [3.0, 4.0, 5.0, 6.0, 7.0], [8.0]):
        queue.enqueue(torch.tensor(values)[:, None])
    assert queue.oldest_first().squeeze(1).tolist() == [6.0, 7.0, 8.0]


def test_it_starts_with_different_unit_vectors():
    rows = InstanceQueue(50, 6).rows
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(50))
    assert len(rows.unique(dim=0)) == 50


def test_without_gradients_it_shows_the_new_rows_and_keeps_the_old():
    queue = InstanceQueue(4, 2)
    queue.enqueue(torch.randn(3, 2))
    before = {name: value.clone() for name, value in queue.state_dict().items()}
    rows = torch.randn(2, 2)
    with torch.no_grad():
        shown = queue.enqueue(rows)
    assert all(torch.equal(value, before[name]) for name, value in queue.state_dict().items())
    assert torch.equal(shown, queue.enqueue(rows))


def test_it_carries_no_gradient():
    rows = torch.randn(2, 3, requires_grad=True)
    assert not InstanceQueue(4, 3).enqueue(rows).requires_grad


def test_a_saved_queue_goes_on_where_it_stood(tmp_path):
    one, other = InstanceQueue(5, 2), InstanceQueue(5, 2)
    one.enqueue(torch.randn(7, 2))
    save_file(one.state_dict(), tmp_path / "queue.safetensors")
    other.load_state_dict(load_file(tmp_path / "queue.safetensors"))
    rows = torch.randn(3, 2)
    assert torch.equal(one.enqueue(rows), other.enqueue(rows))
    assert torch.equal(one.oldest_first(), other.oldest_first())


@pytest.mark.parametrize(("num_rows", "width"), [(0, 4), (4, 0), (-1, 4)])
def test_a_queue_that_holds_nothing_is_refused(num_rows: int, width: int):
    with pytest.raises(UserError, match=f"num_rows and width must be at least 1, got {num_rows} and {width}"):
        InstanceQueue(num_rows, width)


def _fill_on_a_rank(rank: int) -> list[float]:
    torch.manual_seed(0)
    queue = InstanceQueue(5, 1)
    for step in range(2):
        queue.enqueue(torch.tensor([[10.0 * step + rank], [10.0 * step + rank + 0.5]]))
    return queue.oldest_first().squeeze(1).tolist()


def test_ranks_hold_the_rows_of_all_ranks_and_agree():
    assert on_two_ranks(_fill_on_a_rank) == [[1.5, 10.0, 10.5, 11.0, 11.5]] * 2
