import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from selfsent.errors import UserError
from selfsent.evaluation.compare import compare, compare_runs, render, to_markdown
from selfsent.evaluation.report import Report
from selfsent.evaluation.runs import Run
from selfsent.evaluation.score import Score
from selfsent.evaluation.statistics import STATISTICS, paired_bootstrap


def report(name: str, seed: int, num_items: int = 40) -> Report:
    gold = np.linspace(0, 5, num_items)
    items = np.column_stack([gold + np.random.default_rng(seed).standard_normal(num_items) * seed, gold])
    statistic = STATISTICS["spearman"]
    score = Score(
        task="STSBenchmark",
        metric="spearman",
        value=statistic(items),
        ci95=(0.1, 0.9),
        num_items=num_items,
        items=items,
        statistic=statistic,
    )
    geometry = [
        Score(task=f"geometry/{metric}", metric=metric, value=-1.0 * seed, ci95=None, num_items=9)
        for metric in ("alignment", "uniformity")
    ]
    return Report(model=name, scores=(score, *geometry), dimension=8, versions={})


def test_a_difference_is_the_paired_bootstrap_against_the_first_run():
    reports = [report("a", 1), report("b", 2)]
    comparison = compare_runs([Run(name=one.model, report=one) for one in reports], num_resamples=200)
    items = [one.scores[0].items for one in reports]
    assert items[0] is not None
    assert items[1] is not None
    expected = paired_bootstrap(items[1], items[0], STATISTICS["spearman"], num_resamples=200)
    assert list(comparison.differences) == [("STSBenchmark", "b")]
    assert comparison.differences["STSBenchmark", "b"].paired == expected


def test_the_markdown_table_has_a_row_a_task_and_a_column_a_run():
    comparison = compare_runs([Run(name=f"a|{seed}", report=report(f"a|{seed}", seed)) for seed in (1, 2)])
    rows = [line for line in to_markdown(comparison).splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 3
    assert len({row.replace("\\|", "").count("|") for row in rows}) == 1


def test_a_task_that_one_run_lacks_is_a_dash():
    short = replace(report("b", 2), scores=report("b", 2).scores[1:])
    comparison = compare_runs([Run(name="a", report=report("a", 1)), Run(name="b", report=short)])
    assert to_markdown(comparison).splitlines()[2].endswith("| - |")


def test_bad_runs_are_named(tmp_path: Path):
    with pytest.raises(UserError, match="1 run to compare; name at least two"):
        compare([tmp_path])
    with pytest.raises(UserError, match=r"no run at .*nowhere"):
        compare([tmp_path / "nowhere", tmp_path])
    with pytest.raises(UserError, match="a run is named twice"):
        compare([tmp_path, tmp_path / "."])
    with pytest.raises(UserError, match="not scored on the same data"):
        compare_runs([Run(name=str(n), report=report(str(n), 1, num_items=n)) for n in (30, 40)])


def test_the_terminal_table_shows_value_interval_and_difference():
    comparison = compare_runs([Run(name=name, report=report(name, seed)) for seed, name in enumerate("ab", start=1)])
    written = io.StringIO()
    Console(width=120, file=written).print(render(comparison))
    difference = 100 * comparison.differences["STSBenchmark", "b"].paired.difference
    assert f"{difference:+.2f}" in written.getvalue()
    assert "(10.00 to 90.00)" in written.getvalue()
