"""How far a training is, said now and then where no progress bar is drawn."""

import logging
from pathlib import Path

import pytest
from tests.training.tiny_run import make_plan
from transformers import TrainerControl, TrainerState, TrainingArguments

from selfsent.time_limit import TimeLimit
from selfsent.training import progress_notes
from selfsent.training.engine import train
from selfsent.training.progress_notes import ProgressNotes


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    return clock


def steps_of(notes: ProgressNotes, state: TrainerState, now: list[float], folder: Path, *, seconds: float) -> None:
    """Go through the rest of the steps, each of so many seconds; the loss is logged every tenth."""
    arguments, control = TrainingArguments(output_dir=str(folder)), TrainerControl()
    notes.on_train_begin(arguments, state, control)
    while state.global_step < state.max_steps:
        now[0] += seconds
        state.global_step += 1
        notes.on_step_end(arguments, state, control)
        if state.global_step % 10 == 0:
            notes.on_log(arguments, state, control, logs={"loss": 10 / state.global_step})
            notes.on_log(arguments, state, control, logs={"eval_x": 1.0})


def test_steps_loss_and_time_left_are_said_at_most_every_thirty_seconds(
    tmp_path: Path, now: list[float], caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, "selfsent")
    steps_of(ProgressNotes(TimeLimit()), TrainerState(max_steps=1200), now, tmp_path, seconds=0.125)
    assert caplog.messages == [
        "step 240 of 1,200, loss 0.0435, about 2 minutes left",
        "step 480 of 1,200, loss 0.0213, about 2 minutes left",
        "step 720 of 1,200, loss 0.0141, about 60 seconds left",
        "step 960 of 1,200, loss 0.0105, about 30 seconds left",
        "step 1,200 of 1,200, loss 0.0084, a few seconds left",
    ]


def test_a_resumed_run_is_timed_by_its_own_steps_and_a_limit_ends_it_earlier(
    tmp_path: Path, now: list[float], caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, "selfsent")
    steps_of(ProgressNotes(TimeLimit()), TrainerState(global_step=90, max_steps=100), now, tmp_path, seconds=30)
    assert caplog.messages[0] == "step 91 of 100, about 4 minutes left"
    caplog.clear()
    limit = TimeLimit(minutes=1)
    steps_of(ProgressNotes(limit), TrainerState(max_steps=2), now, tmp_path, seconds=40)
    assert caplog.messages[0] == "step 1 of 2, about 20 seconds left"


def test_other_processes_of_a_run_say_nothing(tmp_path: Path, now: list[float], caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "selfsent")
    state = TrainerState(max_steps=3, is_world_process_zero=False)
    steps_of(ProgressNotes(TimeLimit()), state, now, tmp_path, seconds=60)
    assert caplog.messages == []


@pytest.mark.parametrize("has_bar", [True, False])
def test_a_run_says_how_far_it_is_where_it_draws_no_bar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, has_bar: bool
):
    caplog.set_level(logging.INFO, "selfsent")
    monkeypatch.setattr(progress_notes, "_SECONDS_BETWEEN", 0)
    train(make_plan(tmp_path / "run", {"arguments": {"num_train_epochs": 1, "disable_tqdm": not has_bar}}))
    told = [message.partition(",")[0] for message in caplog.messages if message.startswith("step ")]
    assert told == ([] if has_bar else [f"step {step} of 8" for step in range(1, 9)])
