"""What a loop of ours shares with the host's trainer: measures, checkpoints, and the best one."""

import json
from pathlib import Path
from typing import Any

from sentence_transformers.base.evaluation import BaseEvaluator

from selfsent.evaluation.metrics_log import MetricsLog, read_metrics
from selfsent.training.checkpoints import last_whole_checkpoint
from selfsent.training.fitting import STATE_FILE, Fitting


class Given(BaseEvaluator):
    """Measures what it was told to, one value after another."""

    def __init__(self, *values: float) -> None:
        super().__init__()
        self.values = list(values)
        self.primary_metric = "value"

    def __call__(self, model: Any, *_: Any, **__: Any) -> dict[str, float]:
        return {"value": self.values.pop(0)}


def fitting(folder: Path, evaluator: BaseEvaluator | None, *, checkpoint: Path | None = None) -> Fitting:
    model: Any = object()
    return Fitting(
        model=model,
        arguments={},
        seed=0,
        evaluator=evaluator,
        log=MetricsLog(folder / "metrics.jsonl"),
        checkpoints=folder / "checkpoints",
        checkpoint=checkpoint,
    )


def run(one: Fitting, num_steps: int) -> None:
    for step in range(num_steps):
        one.measure(step, {"loss": 1.0 / (step + 1)})
        one.save(step, lambda folder, step=step: (folder / "state").write_text(str(step), "utf8"))


def test_the_best_checkpoint_the_last_and_the_start_are_kept_and_the_best_is_restored(tmp_path: Path):
    one = fitting(tmp_path, Given(0.1, 0.5, 0.3, 0.2))
    assert not one.resume(lambda _: None)
    run(one, 4)
    names = {path.name for path in (tmp_path / "checkpoints").iterdir()}
    assert names == {"checkpoint-0", "checkpoint-1", "checkpoint-3"}
    loaded: list[str] = []
    one.restore_best(lambda folder: loaded.append((folder / "state").read_text("utf8")))
    assert loaded == ["1"]
    assert (one.best_step, one.metrics) == (1, {"eval_value": 0.5})
    assert [row["eval_value"] for row in read_metrics(tmp_path / "metrics.jsonl")] == [0.1, 0.5, 0.3, 0.2]


def test_of_equal_measures_the_later_one_is_best_and_a_training_stalls_two_behind_it(tmp_path: Path):
    one = fitting(tmp_path, Given(0.5, 0.5, 0.4, 0.4))
    one.begin()
    stalled = []
    for step in range(4):
        one.measure(step, {})
        stalled.append(one.has_stalled(step, patience=2))
    assert one.best_step == 1
    assert stalled == [False, False, False, True]


def test_within_the_tolerance_of_the_best_the_last_step_counts_as_best(tmp_path: Path):
    one = fitting(tmp_path, Given(0.1, 0.5, 0.497, 0.48))
    one.tolerance = 0.005
    one.begin()
    run(one, 4)
    assert one.best_step == 2
    assert (tmp_path / "checkpoints" / "checkpoint-2").is_dir()


def test_a_fitting_that_goes_on_knows_what_was_measured_before(tmp_path: Path):
    one = fitting(tmp_path, Given(0.1, 0.5, 0.3))
    one.begin()
    run(one, 3)
    last = tmp_path / "checkpoints" / "checkpoint-2"
    again = fitting(tmp_path, Given(0.2), checkpoint=last)
    loaded: list[Path] = []
    assert again.resume(loaded.append)
    again.measure(3, {})
    assert (loaded, again.best_step) == ([last], 1)


def test_without_an_evaluator_nothing_is_best_and_nothing_stalls(tmp_path: Path):
    one = fitting(tmp_path, None)
    one.begin()
    run(one, 3)
    one.restore_best(lambda _: None)
    assert one.best_step is None
    assert not one.has_stalled(9, patience=2)


def test_a_cut_checkpoint_of_a_loop_of_ours_is_passed_over(tmp_path: Path):
    one = fitting(tmp_path, Given(0.1, 0.2))
    one.begin()
    run(one, 2)
    (tmp_path / "checkpoints" / "checkpoint-1" / STATE_FILE).write_text('{"val', "utf8")
    found, problems = last_whole_checkpoint(tmp_path / "checkpoints")
    assert found == tmp_path / "checkpoints" / "checkpoint-0"
    assert "checkpoint-1 cannot be used" in problems[0]
    assert json.loads((found / STATE_FILE).read_text("utf8"))["values"] == {"0": 0.1}
