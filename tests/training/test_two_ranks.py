"""Two gloo ranks with batch N compute what one process with batch 2N computes, loss state included."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.processes import free_port, meeting
from tests.training.tiny_run import run_process, start_process

_ON_CPU = {"ACCELERATE_USE_CPU": "true"}
"""These runs are the trainer's alone; whoever calls ``train`` need not say so (tests/runs/test_ranks_of_methods.py)."""


def run_two_ranks(output: Path, **options: Any) -> list[int]:
    port = free_port()
    processes = [start_process(output, environment=meeting(rank, port) | _ON_CPU, **options) for rank in range(2)]
    for process in processes:
        process.join(timeout=120)
    return [process.exitcode for process in processes]


def final_tensors(output: Path) -> dict[str, torch.Tensor]:
    checkpoint = max((output / "checkpoints").glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    loss_path = checkpoint / "loss.safetensors"
    return load_file(output / "model.safetensors") | (load_file(loss_path) if loss_path.exists() else {})


@pytest.mark.parametrize(
    ("loss", "accumulation"),
    [
        pytest.param("host", 1, id="the host's ranking loss, negatives gathered"),
        pytest.param("head", 1, id="a loss with a head and a queue"),
        pytest.param("head", 2, id="the same with gradient accumulation"),
    ],
)
def test_two_ranks_of_batch_four_equal_one_process_of_batch_eight(loss: str, accumulation: int, tmp_path: Path) -> None:
    common = {"dataloader_drop_last": True, "max_grad_norm": 0.5, "gradient_accumulation_steps": accumulation}
    options: dict[str, Any] = {"loss": loss, "dropout": 0.0}
    one = {"arguments": common | {"per_device_train_batch_size": 8}}
    two = {"arguments": common | {"per_device_train_batch_size": 4}}
    assert run_process(tmp_path / "one", **options, **one) == 0
    assert run_two_ranks(tmp_path / "two", **options, **two) == [0, 0]
    expected, found = final_tensors(tmp_path / "one"), final_tensors(tmp_path / "two")
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(
            found[name], tensor, rtol=2e-4, atol=2e-5, msg=lambda text, name=name: f"{name}: {text}"
        )
