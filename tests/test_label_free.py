"""Rank correlations of measures without labels with STS-B dev, along trainings made up by hand."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.own_documents_by_step import checkpoints_of, parts_alignment, with_measures
from tools.label_free import correlation, groups, markdown, points_lost

from selfsent.evaluation.document_scores import DocumentQuestions
from selfsent.runs.kept_runs import KeptRun


def write_run(path: Path, method: str, rows: list[tuple[float, float | None]]) -> None:
    curve = [
        {"step": step, "sts_dev_spearman": dev} | ({} if loss is None else {"loss": loss})
        for step, (dev, loss) in enumerate(rows)
    ]
    KeptRun(identity={"method": method}, seed=1, figures={}, data_hashes=[], curve=curve, provenance={}).write(path)


def test_a_rank_correlation_worked_out_by_hand():
    # ranks 1 2 3 4 5 against 2 1 4 3 5: 1 - 6 * 4 / (5 * 24)
    assert correlation([1, 2, 3, 4, 5], [20, 10, 40, 30, 50]) == pytest.approx(0.8)
    assert correlation([1, 1, 1], [1, 2, 3]) is None


def test_points_lost_are_those_of_the_step_that_the_measure_takes():
    assert points_lost([0.5, 0.625, 0.6], [1.0, 2.0, 3.0]) == pytest.approx(2.5)
    assert points_lost([0.5, 0.625, 0.6], [1.0, 3.0, 2.0]) == 0


def test_trainings_are_grouped_by_table_and_method_and_a_falling_loss_counts_as_better(tmp_path: Path):
    rising = [(0.1, 5.0), (0.2, 4.0), (0.3, 3.0), (0.4, 2.0), (0.5, 1.0)]
    falling = [(0.5, 5.0), (0.4, 4.0), (0.3, 3.0), (0.2, 2.0), (0.1, 1.0)]
    write_run(tmp_path / "one" / "runs" / "a-seed1.json", "sct", rising)
    write_run(tmp_path / "one" / "runs" / "a-seed2.json", "sct", [(0.1, None), *rising])
    write_run(tmp_path / "one" / "runs" / "b-seed1.json", "simcse", falling)
    write_run(tmp_path / "two" / "runs" / "c-seed1.json", "sct", rising[:4])
    found = list(groups(tmp_path))
    assert [(group.table, group.method) for group in found] == [("one", "sct"), ("one", "simcse")]
    assert found[0].along == {"loss": [pytest.approx(1), pytest.approx(1)]}
    assert found[1].along == {"loss": [pytest.approx(-1)]}
    assert found[1].chosen == {"loss": [pytest.approx(40)]}
    assert "| one, simcse | 1 | -1.00 (40.0) |  |  |  |  |  |" in markdown(found)


class GivenCosines:
    """Cosines of queries and passages that are numbers in their texts."""

    def passage_scores(self, queries: Sequence[str], passages: Sequence[str]) -> Iterator[np.ndarray[Any, Any]]:
        yield np.array([[float(query) * float(passage) for passage in passages] for query in queries])


def test_alignment_of_parts_worked_out_by_hand():
    # document 7 has passages 0.5 and 1, document 9 has -0.5; 8 is another: nearest cosines 0.5 * 1 and 1 * -0.5
    task = DocumentQuestions(
        name="title",
        queries=["0.5", "1"],
        right=np.array([7, 9]),
        passages=["0.5", "-0.5", "9", "1"],
        documents=np.array([7, 9, 8, 7]),
    )
    assert parts_alignment(GivenCosines(), [task]) == pytest.approx((1 + 3) / 2)


def test_measures_of_checkpoints_stand_at_the_steps_that_have_one_and_are_taken_once(tmp_path: Path):
    for step in (5, 10, 12):
        (tmp_path / "checkpoints" / f"checkpoint-{step}").mkdir(parents=True)
    (tmp_path / "checkpoints" / ".checkpoint-15.tmp").mkdir()
    done = {"step": 12, "own_documents": 0.1, "alignment_of_parts": 0.2}
    curve = [{"step": 0, "uniformity": -1.0}, {"step": 5, "own_documents": 0.2}, {"step": 10}, done, {"step": 15}]
    measures = {
        "own_documents": {"checkpoint-10": 0.5},
        "alignment_of_parts": {"checkpoint-5": 1.0, "checkpoint-10": 2.0},
    }
    asked = {name: lambda folder, values=values: values[folder.name] for name, values in measures.items()}
    assert with_measures(curve, checkpoints_of(tmp_path), asked) == [
        {"step": 0, "uniformity": -1.0},
        {"step": 5, "own_documents": 0.2, "alignment_of_parts": 1.0},
        {"step": 10, "own_documents": 0.5, "alignment_of_parts": 2.0},
        done,
        {"step": 15},
    ]
