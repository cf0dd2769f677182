import threading

import pytest
import torch

from selfsent.kernels.tensor_parts import (
    divided_operations,
    equal_parts,
    over_parts,
    undivided_if_small,
    undivided_operations,
)

CPU = torch.device("cpu")


@pytest.fixture(params=[1, 2, 5])
def num_threads(request: pytest.FixtureRequest):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("size", [0, 1, 3, 100])
def test_the_parts_are_all_rows_once_and_about_equal(num_threads: int, size: int):
    parts = equal_parts(size, CPU)
    rows = [row for part in parts for row in range(part.start, part.stop)]
    assert rows == list(range(size))
    sizes = [part.stop - part.start for part in parts]
    assert len(parts) == max(min(num_threads, size), 1)
    assert max(sizes) - min(sizes) <= 1


def test_each_part_has_a_thread_whose_operations_are_not_divided(num_threads: int):
    x = torch.ones(10, requires_grad=True)

    def work(part: slice) -> tuple[int, int, bool]:
        return threading.get_ident(), torch.get_num_threads(), (x[part] * 2).requires_grad

    found = over_parts(work, equal_parts(10, CPU))
    assert found[0][0] == threading.get_ident()
    assert {threads for _, threads, _ in found} == {1}
    assert num_threads == 1 or not any(is_recorded for *_, is_recorded in found)
    assert torch.get_num_threads() == num_threads


def test_an_error_in_a_part_comes_out_and_leaves_the_threads_as_they_were(num_threads: int):
    def work(part: slice) -> None:
        raise ValueError(f"rows from {part.start}")

    with pytest.raises(ValueError, match="rows from 0"):
        over_parts(work, equal_parts(10, CPU))
    assert torch.get_num_threads() == num_threads


def test_operations_are_undivided_within_the_block_and_parts_are_not(num_threads: int):
    with undivided_operations():
        assert torch.get_num_threads() == 1
        assert len(equal_parts(10, CPU)) == num_threads
        with divided_operations():
            assert torch.get_num_threads() == num_threads
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == num_threads


def test_only_operations_on_few_values_are_undivided(num_threads: int):
    with undivided_if_small(16 * 50 * 100):
        assert torch.get_num_threads() == 1
    with undivided_if_small(1024 * 50 * 100):
        assert torch.get_num_threads() == num_threads
    assert torch.get_num_threads() == num_threads


def test_a_thread_leaves_its_blocks_as_it_came_whatever_others_do_meanwhile(num_threads: int):
    entered, leave = threading.Event(), threading.Event()
    found: list[int] = []

    def other() -> None:
        before = torch.get_num_threads()
        with undivided_operations():
            entered.set()
            leave.wait(20)
        found.append(torch.get_num_threads() - before)

    with undivided_operations(), undivided_operations():
        thread = threading.Thread(target=other)
        thread.start()
        assert entered.wait(20)
    leave.set()
    thread.join(20)
    assert found == [0]
    assert torch.get_num_threads() == num_threads
