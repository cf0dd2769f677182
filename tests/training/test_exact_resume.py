"""A killed and resumed run is the uninterrupted run, bit for bit."""

import random
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.training.tiny_run import run_process


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
        pytest.param({"arguments": {"save_steps": 3, "logging_steps": 2}}, id="checkpoints between log lines"),
        pytest.param({"arguments": {"gradient_accumulation_steps": 3, "save_steps": 1}}, id="uneven accumulation"),
        pytest.param({"views": True}, id="views drawn at random"),
        pytest.param({"stream": True, "arguments": {"max_steps": 20}}, id="a stream, past its end"),
        pytest.param({"arguments": {"batch_sampler": "no_duplicates"}}, id="batches without duplicates"),
    ],
)
def test_a_run_killed_at_a_random_step_and_resumed_is_bit_equal_to_the_uninterrupted_one(
    options: dict[str, Any], tmp_path: Path
) -> None:
    assert run_process(tmp_path / "whole", **options) == 0
    last_step = int(last_state(tmp_path / "whole")["step"].split("-")[1])
    kill_at = random.randrange(6 if last_step > 9 else 2, last_step)
    assert run_process(tmp_path / "killed", kill_at=kill_at, **options) == -signal.SIGKILL
    assert not (tmp_path / "killed" / "modules.json").exists()
    assert run_process(tmp_path / "killed", resume=True, **options) == 0
    assert_equal_runs(tmp_path / "whole", tmp_path / "killed")
