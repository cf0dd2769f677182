import json
from pathlib import Path

from selfsent.evaluation.metrics_file import read_metrics
from selfsent.training.metrics_log import MetricsLog


def test_a_log_begun_at_a_step_keeps_the_lines_up_to_it_and_drops_a_torn_one(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path)
    log.begin(0)
    for step in range(1, 5):
        log.write(step, step / 4, {"loss": 1.0 / step})
    with path.open("a", encoding="utf8") as stream:
        stream.write('{"step": 5, "lo')
    again = MetricsLog(path)
    again.begin(3)
    again.write(4, 1.0, {"loss": 0.25})
    assert [row["step"] for row in read_metrics(path)] == [1, 2, 3, 4]
    assert again.latest["loss"] == 0.25


def test_what_is_not_finite_becomes_null_and_clock_readings_are_left_out(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.begin(0)
    log.write(1, 0.5, {"loss": float("nan"), "eval_runtime": 3.1, "epoch": 0.5})
    log.write(2, 1.0, {"eval_samples_per_second": 10.0})
    lines = (tmp_path / "metrics.jsonl").read_text("utf8").splitlines()
    assert [json.loads(line) for line in lines] == [{"step": 1, "epoch": 0.5, "loss": None}]
