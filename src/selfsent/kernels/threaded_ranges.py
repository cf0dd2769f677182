"""Run a compiled loop over ranges of its steps, on several threads that are kept.

numba's own parallel loops bring a second pool of OpenMP beside torch's. Its threads look for work for some milliseconds
after each loop, and take the cores from torch's meanwhile; and its compilation takes far longer.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

from selfsent.compiler import num_threads

_FEWEST_VALUES = 1 << 17
"""Least number of values for which more threads pay in a loop over trees: to start one takes about 0.1 ms."""
_pools: list[ThreadPoolExecutor] = []


def over_ranges(kernel: Callable[[int, int], None], size: int, *, num_values: int = _FEWEST_VALUES) -> None:
    """Divide the steps of a loop into one range per ``numba`` thread, and call ``kernel(first, end)`` on each.

    Args:
        kernel: Compiled loop. It must release the interpreter's lock, write only what belongs to its steps, and not
            call `over_ranges` itself.
        size: Number of steps, such as sentences.
        num_values: Number of values that all steps fill in; with few, only the caller's thread works.
    """
    num_ranges = max(min(num_threads(), size), 1) if num_values >= _FEWEST_VALUES else 1
    bounds = [size * number // num_ranges for number in range(num_ranges + 1)]
    # The caller's thread takes the first range: to wake another one costs as much as a short loop.
    others = [thread_pool().submit(kernel, *bounds[number : number + 2]) for number in range(1, num_ranges)]
    try:
        kernel(0, bounds[1])
    finally:
        wait(others)
    for other in others:
        other.result()


def thread_pool() -> ThreadPoolExecutor:
    """Return the threads of this process; they start when they are first needed."""
    if not _pools:
        _pools.append(ThreadPoolExecutor(max(num_threads(), os.cpu_count() or 1), thread_name_prefix="selfsent"))
    return _pools[0]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pools.clear)  # a forked process has none of the threads
