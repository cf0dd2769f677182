"""Trackers: what is refused, and that a run reports to those that are installed, without a network."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.command_line import typed

from selfsent.errors import UserError
from selfsent.training import trackers
from selfsent.training.trackers import require_trackers


@pytest.fixture
def notes(tmp_path: Path, sentences: list[str]) -> Path:
    path = tmp_path / "notes.txt"
    path.write_text("\n".join(f"{text} {number}" for number in range(3) for text in sentences), encoding="utf8")
    return path


def test_a_tracker_that_is_not_known_is_refused_with_a_near_name():
    with pytest.raises(UserError, match=r"must be a tracker, got 'tensorbord'.*did you mean 'tensorboard'"):
        require_trackers("tensorbord")


def test_a_tracker_that_is_not_installed_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trackers.importlib.util, "find_spec", lambda _: None)
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
