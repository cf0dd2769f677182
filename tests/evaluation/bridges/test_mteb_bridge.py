import os
from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer

from selfsent.errors import UserError
from selfsent.evaluation.bridges import mteb_bridge
from selfsent.evaluation.report import STS7
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.tasks import sts
from selfsent.loading import load

pytest.importorskip("mteb")

SLOW = pytest.mark.skipif(not os.environ.get("SELFSENT_SLOW"), reason="minutes; set SELFSENT_SLOW")


def assert_mteb_agrees(model: SentenceTransformer, data_dir: Path, tasks: tuple[str, ...]) -> None:
    pairs = [sts.read_pairs(data_dir, task) for task in tasks]
    ours = {score.task: score for score in sts.score_tasks(model, pairs, SuiteOptions(num_resamples=2))}
    theirs = {score.task: score for score in mteb_bridge.score_with_mteb(model, data_dir, tasks=tasks)}
    assert ours.keys() == theirs.keys()
    for task, score in theirs.items():
        assert score.value == pytest.approx(ours[task].value, abs=1e-6)
        assert score.also["pearson"] == pytest.approx(ours[task].also["pearson"], abs=1e-6)
        assert score.num_items == ours[task].num_items
        assert ("mteb's own data set has 9927" in str(score.also.get("note"))) == (task == "SICK-R")


def test_mteb_gives_our_figures_on_all_seven_tasks(tiny_static_model: SentenceTransformer, data_dir: Path):
    assert_mteb_agrees(tiny_static_model, data_dir, STS7)


@SLOW
@pytest.mark.timeout(3600)
def test_mteb_gives_our_figures_for_a_transformer(data_dir: Path, models_dir: Path):
    assert_mteb_agrees(load(models_dir / "all-MiniLM-L6-v2", device="cpu"), data_dir, ("STSBenchmark", "SICK-R"))


def test_a_missing_file_is_named(tiny_static_model: SentenceTransformer, tmp_path: Path):
    with pytest.raises(UserError, match=r"sts/STS12/test\.jsonl"):
        mteb_bridge.score_with_mteb(tiny_static_model, tmp_path)


def test_a_task_that_mteb_lacks_is_named(tiny_static_model: SentenceTransformer, tmp_path: Path):
    folder = tmp_path / "sts/STS99"
    folder.mkdir(parents=True)
    (folder / "test.jsonl").write_text('{"sentence1": "a", "sentence2": "b", "score": 1}\n' * 3)
    with pytest.raises(UserError, match="mteb has no task STS99"):
        mteb_bridge.score_with_mteb(tiny_static_model, tmp_path, tasks=["STS99"])
