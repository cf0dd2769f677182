"""Paired differences between reports."""

import pytest
from tests.evaluation.evaluation_data import Table, sts_folder, write_jsonl

from selfsent.errors import UserError
from selfsent.evaluation import evaluate, paired_differences


def test_reports_on_other_data_are_not_paired(tmp_path):
    first = evaluate(Table(), "sts", sts_folder(tmp_path), name="a")
    rows = [{"sentence1": f"x {i}", "sentence2": f"y {i}", "score": i} for i in range(12)]
    write_jsonl(tmp_path / "sts/STS12/test.jsonl", rows)
    second = evaluate(Table(), "sts", tmp_path, name="b")
    with pytest.raises(UserError, match=r"STS12: a .* and b .* not scored on the same data"):
        paired_differences([first, second])
