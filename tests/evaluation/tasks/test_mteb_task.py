"""Tasks of mteb as suites, on local data."""

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict
from sentence_transformers import SentenceTransformer
from tests.conftest import SENTENCES

from selfsent.errors import UserError
from selfsent.evaluation import SuiteOptions, evaluate
from selfsent.evaluation.tasks import sts

mteb = pytest.importorskip("mteb")


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """A folder of data with one STS task: neighbours paraphrase each other."""
    folder = tmp_path / "sts" / "STS12"
    folder.mkdir(parents=True)
    rows = [
        {"sentence1": one, "sentence2": other, "score": 5.0 - distance, "subset": "a"}
        for distance in range(3)
        for one, other in zip(SENTENCES[::2], SENTENCES[1 + 2 * distance :: 2], strict=False)
    ]
    (folder / "test.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf8")
    return tmp_path


def test_an_sts_task_of_mteb_on_local_pairs_scores_as_our_suite_does(
    tiny_static_model: SentenceTransformer, pairs: Path
):
    report = evaluate(tiny_static_model, "mteb:STS12", pairs, options=SuiteOptions(num_resamples=2))
    (score,) = report.scores
    assert score.task == "mteb:STS12"
    assert score.metric.name == "spearman"
    (ours,) = sts.score_tasks(tiny_static_model, [sts.read_pairs(pairs, "STS12")], SuiteOptions(num_resamples=2))
    assert score.value == pytest.approx(ours.value, abs=1e-6)


def test_a_task_of_another_kind_is_scored_by_its_main_metric(
    tiny_static_model: SentenceTransformer, monkeypatch: pytest.MonkeyPatch
):
    task = mteb.get_task("Banking77Classification")
    half = {"text": [SENTENCES[0], SENTENCES[4]] * 16, "label": [0, 1] * 16}
    task.dataset = DatasetDict({split: Dataset.from_dict(half) for split in ("train", "test")})
    task.data_loaded = True

    def get_task(name: str) -> Any:
        assert name == "Banking77Classification"
        return task

    monkeypatch.setattr(mteb, "get_task", get_task)
    report = evaluate(tiny_static_model, "mteb:Banking77Classification", options=SuiteOptions(num_resamples=2))
    (score,) = report.scores
    assert score.metric.name == "accuracy"
    assert score.value == 1.0  # the texts of both splits are the same


def test_a_task_that_mteb_lacks_is_one_line_with_a_near_name(tiny_static_model: SentenceTransformer):
    with pytest.raises(UserError, match=r"mteb has no task STS112 \(did you mean 'STS12'\?\)"):
        evaluate(tiny_static_model, "mteb:STS112")


def test_data_that_are_not_here_are_one_line(tiny_static_model: SentenceTransformer, tmp_path: Path):
    with pytest.raises(
        UserError, match=r"mteb:STS13 cannot be scored: its data are neither in DATA/sts/STS13"
    ) as error:
        evaluate(tiny_static_model, "mteb:STS13", tmp_path)
    assert "\n" not in str(error.value)
