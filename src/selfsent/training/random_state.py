"""Random numbers of a training: measures leave them as they are, and views are drawn under numbers of their own."""

import contextlib
import json
import random
import zlib
from collections.abc import Callable, Generator, Mapping
from typing import Any, cast

import numpy as np
import torch
from datasets import Dataset
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from typing_extensions import override


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


Batch = dict[str, list[Any]]


class SeededViews(TrainerCallback):
    """Runs a data set's transform under random numbers that depend on seed, epoch and the rows alone.

    A data loader fetches ahead, so a transform that draws from the global random numbers would see others after a
    resume than it saw before, and would move those of dropout. Here it sees its own.

    Args:
        transform: Maps a batch of rows to a batch of rows; may draw from Python's, NumPy's and torch's global random
            numbers.
        seed: The seed of the run.
    """

    def __init__(self, transform: Callable[[Batch], Mapping[str, Any]], *, seed: int) -> None:
        self.transform = transform
        self.seed = seed
        self.epoch = 0

    def __call__(self, batch: Batch) -> Mapping[str, Any]:
        """Transform one batch of rows."""
        content = json.dumps([self.seed, self.epoch, batch], default=str).encode()
        with preserved_random_state(zlib.crc32(content)):
            return self.transform(batch)

    @override
    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.epoch = int((state.epoch or 0) + 1e-9)


def with_seeded_views(dataset: Dataset, *, seed: int) -> tuple[Dataset, list[SeededViews]]:
    """Put a data set's own transform (``set_transform``) under seeded random numbers.

    Args:
        dataset: The training rows.
        seed: The seed of the run.

    Returns:
        The data set, and the callbacks that tell its transform the epoch: one, or none if it has no transform.
    """
    setting = cast("dict[str, Any]", dataset.format)
    transform = setting["format_kwargs"].get("transform")
    if transform is None:
        return dataset, []
    views = SeededViews(transform, seed=seed)
    return dataset.with_transform(views, columns=setting["columns"]), [views]
