from pathlib import Path

import pytest

from selfsent.evaluation.metrics_file import read_metrics
from selfsent.training.metrics_log import MetricsLog


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
