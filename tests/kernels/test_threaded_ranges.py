import multiprocessing
import os
import threading

import numba
import pytest

from selfsent.kernels.threaded_ranges import over_ranges


@pytest.fixture(params=[1, 2, 5])
def num_threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Fewer threads than cores, as many, and more."""
    monkeypatch.setattr("selfsent.kernels.threaded_ranges.num_threads", lambda: request.param)
    return request.param


@pytest.mark.parametrize("size", [0, 1, 3, 100])
def test_the_ranges_are_all_steps_once(num_threads: int, size: int):
    ranges: list[tuple[int, int]] = []
    over_ranges(lambda first, end: ranges.append((first, end)), size)
    assert sorted(step for first, end in ranges for step in range(first, end)) == list(range(size))
    assert len(ranges) == max(min(num_threads, size), 1)


def test_the_first_range_is_the_callers():
    threads: dict[int, int] = {}
    over_ranges(lambda first, _: threads.update({first: threading.get_ident()}), 100)
    assert threads[0] == threading.get_ident()
    assert len(set(threads.values())) <= numba.get_num_threads()


@pytest.mark.parametrize("bad_step", [0, 99])
def test_an_error_in_any_range_comes_out_when_all_have_ended(num_threads: int, bad_step: int):
    ended: list[int] = []

    def kernel(first: int, end: int) -> None:
        if first <= bad_step < end:
            raise ValueError(f"step {bad_step}")
        ended.append(end - first)

    with pytest.raises(ValueError, match=f"step {bad_step}"):
        over_ranges(kernel, 100)
    assert len(ended) == num_threads - 1


def _ranges_of_a_child(results: "multiprocessing.Queue[int]") -> None:
    ends: list[int] = []
    over_ranges(lambda _, end: ends.append(end), 100)
    results.put(max(ends))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_forked_process_has_threads_of_its_own():
    over_ranges(lambda *_: None, 100)
    context = multiprocessing.get_context("fork")
    results: multiprocessing.Queue[int] = context.Queue()
    child = context.Process(target=_ranges_of_a_child, args=(results,))
    child.start()
    assert results.get(timeout=60) == 100
    child.join(timeout=60)
