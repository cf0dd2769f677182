"""The host's training under a limit of time."""

import json
from pathlib import Path

import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments

from selfsent.runs.train import train
from selfsent.time_limit import TimeLimit
from selfsent.training.time_limit_callback import TimeLimitCallback


def test_a_training_whose_time_is_over_ends_after_a_step_measured_and_saved(tmp_path: Path):
    rows = ({"_id": str(number), "text": f"A river {number}. It is long. It is old." * 2} for number in range(16))
    (tmp_path / "notes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf8")
    train(
        "simcse",
        tmp_path / "notes.jsonl",
        tmp_path / "run",
        view="document",
        base="static",
        head="none",
        training={"num_train_epochs": 50, "per_device_train_batch_size": 4},
        device="cpu",
        max_minutes=1e-9,
    )
    record = json.loads((tmp_path / "run" / "run.json").read_text("utf8"))
    assert (record["status"], record["step"], record["best"]["step"]) == ("finished", 1, 1)


def test_measures_are_a_quarter_of_the_limit_apart_and_the_last_one_ends_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    callback = TimeLimitCallback(TimeLimit(minutes=100 / 60), has_evaluator=True)
    arguments, state = TrainingArguments(output_dir=str(tmp_path)), TrainerState()
    measured, stopped = [], None
    for step in range(100):
        control = TrainerControl()
        callback.on_step_begin(arguments, state, control)
        now[0] += 2
        callback.on_step_end(arguments, state, control)
        if control.should_evaluate:
            assert control.should_save
            measured.append(step)
            now[0] += 5
        if control.should_training_stop:
            stopped = now[0]
            break
    assert len(measured) == 4
    assert stopped is not None
    assert 90 <= stopped <= 100
