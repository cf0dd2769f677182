"""Paired differences between reports."""

import pytest
from tests.evaluation.evaluation_data import Table, noisy_report, sts_folder, write_jsonl

from selfsent.errors import UserError
from selfsent.evaluation import evaluate, paired_differences, render_differences
from selfsent.evaluation.comparison.compare import compare_runs
from selfsent.evaluation.comparison.runs import Run


def test_reports_on_other_data_are_not_paired(tmp_path):
    first = evaluate(Table(), "sts", sts_folder(tmp_path), name="a")
    rows = [{"sentence1": f"x {i}", "sentence2": f"y {i}", "score": i} for i in range(12)]
    write_jsonl(tmp_path / "sts/STS12/test.jsonl", rows)
    second = evaluate(Table(), "sts", tmp_path, name="b")
    with pytest.raises(UserError, match=r"STS12: a .* and b .* not scored on the same data"):
        paired_differences([first, second])


def test_a_difference_is_the_second_less_the_first_in_evaluate_and_in_compare():
    reports = [noisy_report(name, seed) for seed, name in enumerate("ab", start=1)]
    (found,) = [one for one in paired_differences(reports) if one.task == "STSBenchmark"]
    first, second = (report.score("STSBenchmark").value for report in reports)
    assert (found.model_a, found.model_b) == ("a", "b")
    assert found.paired.difference == pytest.approx(second - first)
    assert found.paired.ci95 is not None
    assert found.paired.ci95[0] <= found.paired.difference <= found.paired.ci95[1]
    compared = compare_runs([Run(name=report.model, report=report) for report in reports])
    assert compared.differences["STSBenchmark", "b"].paired == found.paired
    assert str(render_differences([found]).caption).startswith("second less first")
