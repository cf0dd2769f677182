"""Measure during training without changing the random numbers that training draws next."""

import contextlib
import random
from collections.abc import Generator

import numpy as np
import torch


@contextlib.contextmanager
def preserved_random_state(seed: int | None = None) -> Generator[None]:
    """Run a block and put the random states of Python, NumPy and torch (CPU and the current CUDA device) back after it.

    Args:
        seed: Seeds all of them for the block, so that the block itself is repeatable; default: left as they are.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002 the state host code draws from
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        try:
            if seed is not None:
                random.seed(seed)
                np.random.seed(seed % 2**32)  # noqa: NPY002 the state host code draws from
                torch.manual_seed(seed)
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002 the state host code draws from
