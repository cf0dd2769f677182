import json
from pathlib import Path

import pytest

from selfsent.evaluation.metrics_log import MetricsLog, read_metrics


def test_a_missing_file_is_empty_and_a_torn_last_line_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "metrics.jsonl"
    assert read_metrics(path) == []
    path.write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "lo', "utf8")
    assert read_metrics(path) == [{"step": 1, "loss": 2.0}]
    assert not caplog.text


def test_damaged_lines_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1}\n\0\0\0\n{"step": 2, "lo\n[3]\n\xff\n{"step": 4}\n')
    assert read_metrics(path) == [{"step": 1}, {"step": 4}]
    assert "4 of 6 lines are damaged and left out" in caplog.text
    MetricsLog(path).begin(3)
    assert path.read_text("utf8") == '{"step": 1}\n'


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
