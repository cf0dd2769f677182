"""A killed and resumed run is the uninterrupted run, bit for bit."""

import json
import random
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.training.tiny_run import make_plan, run_process

from selfsent.training.engine import train


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing interrupted, with no options."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert run_process(folder) == 0
    return folder


def last_state(output: Path) -> dict[str, Any]:
    """Everything a run ends with: weights, loss state, optimizer moments, the metrics file."""
    checkpoint = max((output / "checkpoints").glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    optimizer = torch.load(checkpoint / "optimizer.pt", weights_only=True)
    moments = {f"{key}.{name}": value for key, state in optimizer["state"].items() for name, value in state.items()}
    return {
        "step": checkpoint.name,
        "tensors": load_file(output / "model.safetensors") | load_file(checkpoint / "loss.safetensors") | moments,
        "metrics": (output / "metrics.jsonl").read_bytes(),
    }


def assert_equal_runs(one: Path, other: Path) -> None:
    expected, found = last_state(one), last_state(other)
    assert expected["step"] == found["step"]
    assert expected["metrics"] == found["metrics"]
    assert expected["tensors"].keys() == found["tensors"].keys()
    assert all(torch.equal(tensor, found["tensors"][name]) for name, tensor in expected["tensors"].items())


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="three epochs, dropout in model and loss, a queue"),
        pytest.param({"arguments": {"save_steps": 3, "logging_steps": 7}}, id="checkpoints between log lines"),
        pytest.param({"arguments": {"gradient_accumulation_steps": 3, "save_steps": 1}}, id="uneven accumulation"),
        pytest.param({"views": True}, id="views drawn at random"),
        pytest.param({"stream": True, "arguments": {"max_steps": 20}}, id="a stream, past its end"),
        pytest.param({"arguments": {"batch_sampler": "no_duplicates"}}, id="batches without duplicates"),
    ],
)
def test_a_run_killed_at_a_random_step_and_resumed_is_bit_equal_to_the_uninterrupted_one(
    options: dict[str, Any], whole: Path, tmp_path: Path
) -> None:
    if options:
        whole = tmp_path / "whole"
        assert run_process(whole, **options) == 0
    last_step = int(last_state(whole)["step"].split("-")[1])
    kill_at = random.randrange(6 if last_step > 9 else 2, last_step)
    assert run_process(tmp_path / "killed", kill_at=kill_at, **options) == -signal.SIGKILL
    assert not (tmp_path / "killed" / "modules.json").exists()
    assert run_process(tmp_path / "killed", resume=True, **options) == 0
    assert_equal_runs(whole, tmp_path / "killed")


def test_a_run_killed_while_it_saves_resumes_from_the_checkpoint_before(whole: Path, tmp_path: Path) -> None:
    assert run_process(tmp_path / "killed", kill_while_saving=10) == -signal.SIGKILL
    checkpoints = tmp_path / "killed" / "checkpoints"
    assert sorted(path.name for path in checkpoints.iterdir()) == [".writing", "checkpoint-5"]
    assert run_process(tmp_path / "killed", resume=True) == 0
    assert_equal_runs(whole, tmp_path / "killed")
    assert not (checkpoints / ".writing").exists()


def test_a_run_killed_between_its_last_checkpoint_and_its_model_is_finished_by_resuming(
    whole: Path, tmp_path: Path
) -> None:
    shutil.copytree(whole, tmp_path / "killed")
    record = json.loads((tmp_path / "killed" / "run.json").read_text("utf8"))
    (tmp_path / "killed" / "run.json").write_text(json.dumps(record | {"status": "running"}), encoding="utf8")
    (tmp_path / "killed" / "modules.json").unlink()
    assert run_process(tmp_path / "killed", resume=True) == 0
    assert_equal_runs(whole, tmp_path / "killed")
    assert json.loads((tmp_path / "killed" / "run.json").read_text("utf8"))["status"] == "finished"


@pytest.mark.parametrize("watched", [{"alarm": True}, {"scores": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "alarm": True}])
def test_neither_the_alarm_nor_an_evaluation_changes_what_is_trained(watched: dict[str, Any], tmp_path: Path) -> None:
    steps = {"save_steps": 4, "logging_steps": 1}
    train(make_plan(tmp_path / "alone", {"alarm": False, "arguments": steps}))
    train(make_plan(tmp_path / "watched", watched | {"arguments": steps}))
    alone, found = last_state(tmp_path / "alone"), last_state(tmp_path / "watched")
    assert all(torch.equal(tensor, found["tensors"][name]) for name, tensor in alone["tensors"].items())
    assert b"uniformity" in found["metrics"]
    assert b"uniformity" not in alone["metrics"]
