import random
from types import SimpleNamespace

import numpy as np
import torch
from datasets import Dataset

from selfsent.training.random_state import SeededViews, with_seeded_views


def draws(batch: dict[str, list[str]]) -> dict[str, list[float]]:
    return {"drawn": [random.random() + np.random.rand() + float(torch.rand(())) for _ in batch["text"]]}  # noqa: NPY002


def test_the_same_rows_get_the_same_views_until_epoch_or_seed_changes() -> None:
    views, batch = SeededViews(draws, seed=1), {"text": ["a", "b"]}
    first = views(batch)
    assert views(batch) == first
    assert views({"text": ["a", "c"]}) != first
    assert SeededViews(draws, seed=2)(batch) != first
    views.on_epoch_begin(None, SimpleNamespace(epoch=1.0), None)
    assert views(batch) != first


def test_views_leave_the_global_random_numbers_where_they_were() -> None:
    random.seed(0), torch.manual_seed(0), np.random.seed(0)  # noqa: NPY002
    expected = (random.random(), float(torch.rand(())), np.random.rand())  # noqa: NPY002
    random.seed(0), torch.manual_seed(0), np.random.seed(0)  # noqa: NPY002
    SeededViews(draws, seed=1)({"text": ["a"]})
    assert (random.random(), float(torch.rand(())), np.random.rand()) == expected  # noqa: NPY002


def test_rows_without_a_transform_are_left_as_they_are() -> None:
    dataset = Dataset.from_dict({"text": ["a"]})
    assert with_seeded_views(dataset, seed=0) == (dataset, [])
