"""Work on parts of a matrix, each on a thread of its own from one end to the other.

torch divides every operation among its threads, each time anew. What one core has just written, another then has to
fetch from it, which takes longer than a short operation itself. A part that stays with its thread stays in its cache.
"""

import contextlib
import itertools
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import wait
from typing import TypeVar

import torch

from selfsent.kernels.threaded_ranges import thread_pool

_FEWEST_DIVIDED = 1 << 20
"""Least number of values for which torch's operations gain from a second thread; below, it only hinders other pools."""

Part = TypeVar("Part")
Found = TypeVar("Found")


class _OpenBlocks(threading.local):
    def __init__(self) -> None:
        self.threads: list[int] = []
        """Number of torch's threads before each block of `undivided_operations` that this thread is in."""


_open = _OpenBlocks()


def num_parts() -> int:
    """Return the number of threads that parts are divided among: torch's, also inside `undivided_operations`."""
    return _open.threads[0] if _open.threads else torch.get_num_threads()


@contextlib.contextmanager
def undivided_operations() -> Generator[None]:
    """Let torch's own operations run on the caller's thread within the block; parts are still divided.

    It is for small operations between such parts, which would take longer divided than whole.
    """
    _open.threads.append(torch.get_num_threads())
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(_open.threads.pop())


def undivided_if_small(num_values: int) -> contextlib.AbstractContextManager[None]:
    """Leave the operations of the block undivided where they are on few values.

    Args:
        num_values: Values of the largest matrix that the block's operations are on.
    """
    return undivided_operations() if num_values < _FEWEST_DIVIDED else contextlib.nullcontext()


@contextlib.contextmanager
def divided_operations() -> Generator[None]:
    """Let torch divide the operations of the block again, such as one on a whole table."""
    before = torch.get_num_threads()
    torch.set_num_threads(num_parts())
    try:
        yield
    finally:
        torch.set_num_threads(before)


def equal_parts(size: int, device: torch.device) -> list[slice]:
    """Divide rows among torch's threads; on a GPU they are one part.

    Args:
        size: How many rows there are.
        device: Where they are.

    Returns:
        As many parts as there are threads, but none that is empty unless there are no rows.
    """
    count = max(min(num_parts(), size), 1) if device.type == "cpu" else 1
    bounds = [size * number // count for number in range(count + 1)]
    return [slice(first, end) for first, end in itertools.pairwise(bounds)]


def over_parts(work: Callable[[Part], Found], parts: Sequence[Part]) -> list[Found]:
    """Do the work of each part on one thread, the first one on the caller's.

    Args:
        work: Function of a part. It runs without gradients, must write only to its own part, and must not call
            `over_parts` itself.
        parts: At least one.

    Returns:
        What the work gave, in the order of the parts.
    """
    if len(parts) == 1:
        return [work(parts[0])]
    num_threads, is_inference = torch.get_num_threads(), torch.is_inference_mode_enabled()

    def alone(part: Part) -> Found:
        torch.set_num_threads(1)  # of this thread
        with torch.inference_mode(is_inference), torch.no_grad():
            return work(part)

    others = [thread_pool().submit(alone, part) for part in parts[1:]]
    try:
        first = alone(parts[0])
    finally:
        wait(others)
        torch.set_num_threads(num_threads)
    return [first, *(other.result() for other in others)]
