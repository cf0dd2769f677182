"""Damaged checkpoints: the newest whole one is taken, and it is said why a later one is not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from tests.training.tiny_run import Interrupt, make_plan

from selfsent.errors import UserError
from selfsent.training.checkpoints import damage, last_whole_checkpoint
from selfsent.training.engine import train


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 24 steps that was interrupted at its 13th, with checkpoints 5 and 10."""
    folder = tmp_path_factory.mktemp("interrupted") / "run"
    plan = make_plan(folder, {"arguments": {"save_total_limit": 3}})
    plan.callbacks = [Interrupt(12)]
    with pytest.raises(KeyboardInterrupt):
        train(plan)
    return folder


def halved(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("name", "damaged"),
    [
        ("optimizer.pt", emptied),
        ("optimizer.pt", halved),
        ("optimizer.pt", Path.unlink),
        ("scheduler.pt", emptied),
        ("rng_state.pth", halved),
        ("trainer_state.json", halved),
        ("trainer_state.json", Path.unlink),
        ("modules.json", halved),
        ("model.safetensors", halved),
        ("loss.safetensors", emptied),
    ],
)
def test_a_run_goes_on_from_the_newest_whole_checkpoint_and_says_so(
    name: str, damaged: Callable[[Path], Any], interrupted: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(interrupted, tmp_path / "run")
    checkpoints = tmp_path / "run" / "checkpoints"
    damaged(checkpoints / "checkpoint-10" / name)
    assert last_whole_checkpoint(checkpoints) == (
        checkpoints / "checkpoint-5",
        [f"checkpoint-10 cannot be used: {damage(checkpoints / 'checkpoint-10')}"],
    )
    assert name in str(damage(checkpoints / "checkpoint-10"))
    if name == "optimizer.pt" and damaged is emptied:
        train(make_plan(tmp_path / "run", {"arguments": {"save_total_limit": 3}, "resume": True}))
        assert "checkpoint-5; checkpoint-10 cannot be used: optimizer.pt is cut or damaged" in caplog.text
        shutil.copytree(interrupted, tmp_path / "whole")
        train(make_plan(tmp_path / "whole", {"arguments": {"save_total_limit": 3}, "resume": True}))
        ends = [load_file(tmp_path / one / "model.safetensors") for one in ("run", "whole")]
        assert all((tensor == ends[1][key]).all() for key, tensor in ends[0].items()), "bit-equal all the same"


def test_nothing_is_begun_anew_where_no_checkpoint_is_whole(interrupted: Path, tmp_path: Path) -> None:
    shutil.copytree(interrupted, tmp_path / "run")
    for checkpoint in (tmp_path / "run" / "checkpoints").iterdir():
        emptied(checkpoint / "optimizer.pt")
    with pytest.raises(UserError, match=r"no checkpoint in .* is whole .*checkpoint-10.*checkpoint-5.*--overwrite"):
        train(make_plan(tmp_path / "run", {"arguments": {"save_total_limit": 3}, "resume": True}))
    assert len(list((tmp_path / "run" / "checkpoints").iterdir())) == 2


def test_a_checkpoint_without_the_optimizer_is_whole_where_none_was_to_be_saved(
    interrupted: Path, tmp_path: Path
) -> None:
    shutil.copytree(interrupted / "checkpoints", tmp_path / "checkpoints")
    last = tmp_path / "checkpoints" / "checkpoint-10"
    for name in ("optimizer.pt", "scheduler.pt"):
        (last / name).unlink()
    assert damage(last) == "optimizer.pt is missing"
    assert last_whole_checkpoint(tmp_path / "checkpoints", is_model_only=True) == (last, [])


def test_a_checkpoint_is_not_whole_where_the_best_one_that_it_goes_back_to_is_cut(
    interrupted: Path, tmp_path: Path
) -> None:
    shutil.copytree(interrupted / "checkpoints", tmp_path / "checkpoints")
    best, last = (tmp_path / "checkpoints" / f"checkpoint-{step}" for step in (5, 10))
    state = json.loads((last / "trainer_state.json").read_text("utf8"))
    state |= {"best_global_step": 5, "best_model_checkpoint": str(best)}
    (last / "trainer_state.json").write_text(json.dumps(state), encoding="utf8")
    assert damage(last) is None
    halved(best / "model.safetensors")
    assert damage(last) == "it goes back to checkpoint-5, where model.safetensors is cut or damaged"
