import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st
from tests.command_line import typed
from tests.training.test_trainer import make_trainer
from tests.training.tiny_run import make_rows

from selfsent.errors import UserError
from selfsent.training.arguments import (
    argument_names,
    check_arguments,
    check_learning_rate_mapping,
    num_training_steps,
    require_trackers,
    training_arguments,
)


def test_an_unknown_field_is_refused_with_the_nearest_known_ones() -> None:
    with pytest.raises(UserError, match=r"training\.learning_rat .*did you mean learning_rate"):
        training_arguments({"learning_rat": 1}, output_dir=Path("x"), seed=0, num_steps=1, has_evaluator=False)


@pytest.mark.parametrize("name", ["output_dir", "seed"])
def test_a_field_the_run_decides_is_refused(name: str) -> None:
    assert name not in argument_names()
    with pytest.raises(UserError, match="decided by the run itself"):
        training_arguments({name: 1}, output_dir=Path("x"), seed=0, num_steps=1, has_evaluator=False)


def test_a_value_the_host_refuses_becomes_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="sentence-transformers refuses") as caught:
        training_arguments(
            {"accelerator_config": {"nonsense": 1}}, output_dir=tmp_path, seed=0, num_steps=1, has_evaluator=False
        )
    assert "\n" not in str(caught.value)


def test_a_choice_the_host_does_not_have_is_refused_before_any_data_is_read() -> None:
    with pytest.raises(UserError, match=r"lr_scheduler_type must be one of linear, .* mean 'linear'.*got 'linaer'"):
        check_arguments({"lr_scheduler_type": "linaer"})
    check_arguments({"lr_scheduler_type": "constant", "save_strategy": "no", "best": "none"})


@pytest.mark.parametrize(
    ("name", "value", "needed"),
    [
        ("learning_rate", math.nan, "a finite number above 0"),
        pytest.param("learning_rate", 10**400, "a finite number above 0", id="overflow"),
        ("num_train_epochs", math.inf, "a finite number above 0"),  # 1e400
        ("per_device_train_batch_size", 10**30, "a whole number of at most 18 digits"),
        ("per_device_train_batch_size", 2.5, "a whole number of at most 18 digits"),
        ("max_steps", math.nan, "a whole number of at most 18 digits"),
        ("max_steps", "many", "a whole number of at most 18 digits"),
        ("gradient_accumulation_steps", 0, "a finite number above 0"),
        ("warmup_steps", math.inf, "a finite number of 0 or more"),
        ("weight_decay", -1, "a finite number of 0 or more"),
        ("max_grad_norm", math.nan, "a finite number"),
        ("adam_epsilon", math.nan, "a finite number of 0 or more"),
        ("adam_beta1", 2, "a number from 0 to below 1"),
        ("eval_steps", math.nan, "a finite number"),
        pytest.param("save_total_limit", 10**5000, "a whole number of at most 18 digits", id="digits"),
    ],
)
def test_a_number_that_cannot_be_used_is_refused_with_what_is_needed(
    name: str, value: Any, needed: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=rf"training\.{name} must be {needed}, got") as caught:
        training_arguments({name: value}, output_dir=tmp_path, seed=0, num_steps=1, has_evaluator=True)
    assert len(str(caught.value)) < 200


def test_numbers_that_the_host_takes_are_taken(tmp_path: Path) -> None:
    taken = {"max_steps": -1, "save_total_limit": None, "eval_steps": 0.5, "save_steps": 0.5, "warmup_steps": 0.1}
    taken |= {"max_grad_norm": -1, "weight_decay": 0.0, "neftune_noise_alpha": None, "per_device_train_batch_size": 4}
    built = training_arguments(taken, output_dir=tmp_path, seed=0, num_steps=1, has_evaluator=True)
    assert {name: getattr(built, name) for name in taken} == taken


def test_checkpoints_follow_evaluations_that_are_set_and_the_other_way_round(tmp_path: Path) -> None:
    for one in ("eval_steps", "save_steps"):
        built = training_arguments({one: 7}, output_dir=tmp_path, seed=0, num_steps=100, has_evaluator=True)
        assert (built.eval_steps, built.save_steps) == (7, 7)
        assert built.load_best_model_at_end


@given(rows=st.integers(4, 50), batch=st.integers(1, 4), accumulation=st.integers(1, 5), epochs=st.integers(1, 3))
def test_steps_are_counted_batch_by_batch(rows: int, batch: int, accumulation: int, epochs: int) -> None:
    batches = sum(1 for _ in range(0, rows, batch))
    overrides = {
        "per_device_train_batch_size": batch,
        "gradient_accumulation_steps": accumulation,
        "num_train_epochs": epochs,
    }
    assert num_training_steps(overrides, rows) == epochs * math.ceil(batches / accumulation)


def test_the_count_of_steps_is_the_hosts(tmp_path: Path) -> None:
    overrides = {"gradient_accumulation_steps": 3, "num_train_epochs": 2, "max_steps": -1}
    trainer = make_trainer(tmp_path, data=Dataset.from_dict(make_rows(30)), **overrides)
    trainer.train()
    assert trainer.state.global_step == num_training_steps(overrides | {"per_device_train_batch_size": 4}, 30)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [("^decodr", "matches none of the 2 weights, such as weight, bias"), ("(", "must be a regular expression")],
)
def test_a_rate_for_weights_that_are_not_there_is_refused(pattern: str, reason: str):
    loss = torch.nn.Linear(2, 2)
    check_learning_rate_mapping({"^wei": 1e-3}, loss)
    with pytest.raises(UserError, match=reason):
        check_learning_rate_mapping({"^wei": 1e-3, pattern: 1e-3}, loss)


def test_a_tracker_that_is_not_known_is_refused_with_a_near_name():
    with pytest.raises(UserError, match=r"must be a tracker, got 'tensorbord'.*did you mean 'tensorboard'"):
        require_trackers("tensorbord")


def test_a_tracker_that_is_not_installed_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match="--report-to wandb needs the package wandb: `pip install wandb`"):
        require_trackers(["none", "wandb"])


def test_no_tracker_is_no_demand():
    require_trackers(None)
    require_trackers("none")


def test_a_run_reports_its_loss_to_tensorboard(tmp_path: Path, notes: Path):
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    output = tmp_path / "run"
    arguments = ("--max-steps", 4, "--batch-size", 4, "--report-to", "tensorboard")
    done = typed("train", "self-strae", "--data", notes, "--output", output, *arguments)
    assert done.code == 0, done.err
    (events,) = (output / "checkpoints" / "runs").rglob("events.out.*")
    read = loader.EventAccumulator(str(events))
    read.Reload()
    steps = {event.step: event.value for event in read.Scalars("train/loss")}
    logged = [json.loads(line) for line in (output / "metrics.jsonl").read_text("utf8").splitlines()]
    assert steps == {row["step"]: pytest.approx(row["loss"], rel=1e-5) for row in logged if "loss" in row}


@pytest.mark.parametrize(
    ("name", "environment", "written"),
    [("wandb", {"WANDB_MODE": "offline"}, "wandb/offline-run-*"), ("trackio", {"TRACKIO_DIR": "kept"}, "kept/*")],
)
def test_a_run_reports_to_other_trackers_offline(name: str, environment: dict[str, str], written: str, notes: Path):
    pytest.importorskip(name)
    command = [sys.executable, "-m", "selfsent", "train", "self-strae", "--data", notes, "--output", "run"]
    options = ["--max-steps", "2", "--batch-size", "4", "--report-to", name]
    done = subprocess.run(
        [*command, *options],
        check=False,
        capture_output=True,
        text=True,
        timeout=280,
        cwd=notes.parent,
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stderr
    assert list(notes.parent.glob(written))
