"""Run a compiled loop over sentences on several threads: for kernels whose compilation numba's own makes far longer."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from selfsent.compiler import num_threads


def over_sentences(kernel: Callable[[int, int], None], num_sentences: int) -> None:
    """Call ``kernel(first, end)`` over ranges that together are all sentences, as many as ``numba`` has threads.

    Args:
        kernel: Releases the interpreter's lock, and writes only what belongs to its sentences.
        num_sentences: How many there are.
    """
    num_ranges = min(num_threads(), num_sentences)
    bounds = np.linspace(0, num_sentences, max(num_ranges, 1) + 1).astype(int).tolist()
    if num_ranges <= 1:
        kernel(0, num_sentences)
        return
    with ThreadPoolExecutor(num_ranges) as threads:
        list(threads.map(kernel, bounds[:-1], bounds[1:]))
