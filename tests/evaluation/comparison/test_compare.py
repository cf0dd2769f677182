"""Comparing runs: paired differences, what some runs lack, the tables."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.evaluation.evaluation_data import noisy_report, printed

from selfsent.errors import UserError
from selfsent.evaluation.comparison.compare import compare, compare_runs, render, to_markdown
from selfsent.evaluation.comparison.compare_page import to_html
from selfsent.evaluation.comparison.runs import Run
from selfsent.evaluation.statistics import STATISTICS, paired_bootstrap


def test_a_difference_is_the_paired_bootstrap_against_the_first_run():
    reports = [noisy_report("a", 1), noisy_report("b", 2)]
    comparison = compare_runs([Run(name=one.model, report=one) for one in reports], num_resamples=200)
    items = [one.scores[0].items for one in reports]
    assert items[0] is not None
    assert items[1] is not None
    expected = paired_bootstrap(items[1], items[0], STATISTICS["spearman"], num_resamples=200)
    assert list(comparison.differences) == [("STSBenchmark", "b")]
    assert comparison.differences["STSBenchmark", "b"].paired == expected


def test_the_markdown_table_has_a_row_a_task_and_a_column_a_run():
    comparison = compare_runs([Run(name=f"a|{seed}", report=noisy_report(f"a|{seed}", seed)) for seed in (1, 2)])
    rows = [line for line in to_markdown(comparison).splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 3
    assert len({row.replace("\\|", "").count("|") for row in rows}) == 1


def test_a_task_that_one_run_lacks_is_a_dash():
    short = replace(noisy_report("b", 2), scores=noisy_report("b", 2).scores[1:])
    comparison = compare_runs([Run(name="a", report=noisy_report("a", 1)), Run(name="b", report=short)])
    assert to_markdown(comparison).splitlines()[2].endswith("| - |")


def test_a_task_is_unshared_where_one_run_alone_has_it():
    whole = noisy_report("a", 1)
    some, few = (replace(noisy_report(name, 2), scores=whole.scores[:number]) for name, number in (("b", 2), ("c", 1)))
    comparison = compare_runs([Run(name=one.model, report=one) for one in (few, some, whole)])
    assert list(comparison.tasks) == ["STSBenchmark", "geometry/alignment", "geometry/uniformity"]
    assert comparison.unshared_tasks == ["geometry/uniformity"]


def test_reports_without_single_items_promise_no_differences_and_say_what_is_missing(tmp_path: Path):
    for seed, name in enumerate(("a", "b<b>", "c"), start=1):
        noisy_report(name, seed).save(tmp_path / f"{name}.json")
    (tmp_path / "b<b>.items.npz").unlink()
    comparison = compare([tmp_path / f"{name}.json" for name in ("a", "b<b>", "c")])
    assert {name for _, name in comparison.differences} == {"c"}
    for text in (to_markdown(comparison), to_html(comparison).replace("&lt;b&gt;", "<b>")):
        assert "starred" in text
        assert "No differences for b<b>: they need the scores of single items" in text.replace("\\", "")
    (tmp_path / "a.items.npz").unlink()
    comparison = compare([tmp_path / f"{name}.json" for name in ("a", "c")])
    for text in (to_markdown(comparison), to_html(comparison)):
        assert "starred" not in text
        assert "No differences for c: " in text


def test_bad_runs_are_named(tmp_path: Path):
    with pytest.raises(UserError, match="1 run to compare; name at least two"):
        compare([tmp_path])
    with pytest.raises(UserError, match=r"no run at .*nowhere"):
        compare([tmp_path / "nowhere", tmp_path])
    with pytest.raises(UserError, match="a run is named twice"):
        compare([tmp_path, tmp_path / "."])
    with pytest.raises(UserError, match="not scored on the same data"):
        compare_runs([Run(name=str(n), report=noisy_report(str(n), 1, num_items=n)) for n in (30, 40)])


def test_the_terminal_table_shows_value_interval_and_difference():
    comparison = compare_runs(
        [Run(name=name, report=noisy_report(name, seed)) for seed, name in enumerate("ab", start=1)]
    )
    shown = printed(render(comparison))
    paired = comparison.differences["STSBenchmark", "b"].paired
    assert paired.ci95 is not None
    low, high = (100 * bound for bound in paired.ci95)
    star = "" if low <= 0 <= high else "*"
    assert f"{100 * paired.difference:+.2f}{star} ({low:.2f} to {high:.2f})" in shown
    assert "(10.00 to 90.00)" in shown
