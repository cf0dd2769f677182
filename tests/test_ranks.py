"""What ranks make once and agree on, with two processes that meet by gloo."""

import os
import time
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from datasets import Dataset
from tests.processes import on_two_ranks

from selfsent import ranks
from selfsent.data.arrow_file import materialise
from selfsent.errors import UserError


def _all(rank: int, place: Path) -> list[Any]:
    made = ranks.made_once(lambda: {"made by": rank})
    try:
        ranks.made_once(_refuse)
    except UserError as error:
        refused = str(error)
    ranks.require_same({"method": "sct", "seed": 1})
    try:
        ranks.require_same({"method": "sct", "seed": rank})
    except UserError as error:
        differs = str(error)
    return [made, refused, differs, _read_before_it_is_removed(rank, place)]


def _read_before_it_is_removed(rank: int, place: Path) -> list[Any]:
    opened = Dataset.from_file

    def open_late(path: str) -> Dataset:
        time.sleep(rank)
        return opened(path)

    with mock.patch.object(Dataset, "from_file", open_late):
        dataset = materialise([{"text": "of the first"}], place)
    if rank == 0:
        place.unlink()
    return dataset["text"][:]


def _refuse() -> None:
    raise UserError("a mistake of the first")


def _one_dies(rank: int) -> str:
    if rank == 1:
        os._exit(7)
    with pytest.raises(UserError) as error, ranks.one_line_if_a_rank_is_lost():
        _ = [ranks.made_once(dict), ranks.require_same({"method": "sct"})]
    return str(error.value)


def test_the_first_rank_makes_what_all_have_and_differences_are_told(tmp_path):
    first, second = on_two_ranks(partial(_all, place=tmp_path / "rows.arrow"))
    assert first == second
    made, refused, differs, texts = first
    assert texts == ["of the first"]
    assert made == {"made by": 0}
    assert refused == "a mistake of the first"
    assert differs.startswith("all ranks must be started alike: rank 0 has seed 0, and rank 1 1")


def test_a_rank_that_dies_ends_the_other_with_one_line():
    (found,) = on_two_ranks(_one_dies, num_answers=1)
    assert found.startswith("another rank has ended, and this one cannot go on without it")
    assert "\n" not in found


def test_alone_everything_is_made_here_and_nothing_is_compared(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    ranks.join_ranks(on_cpu=True)
    assert ranks.made_once(lambda: 7) == 7
    ranks.require_same({"seed": 1})
    with pytest.raises(RuntimeError, match="gloo"), ranks.one_line_if_a_rank_is_lost():
        raise RuntimeError("gloo")


@pytest.mark.parametrize(
    ("num_processes", "has_accelerator", "needed"), [("1", False, False), ("2", True, False), ("2", False, True)]
)
def test_ranks_without_an_accelerator_are_told_to_use_the_cpu(num_processes, has_accelerator, needed, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", num_processes)
    monkeypatch.setattr("torch.accelerator.is_available", lambda: has_accelerator)
    assert ranks.need_cpu() == needed
