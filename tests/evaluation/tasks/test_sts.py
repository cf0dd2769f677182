"""The STS suites: the protocol's choices on small data, the published figures of a known model on the real one."""

import lzma

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from tests.evaluation.evaluation_data import STS_TASKS, Table, sts_folder, sts_rows, write_jsonl

from selfsent.errors import UserError
from selfsent.evaluation import SuiteOptions, evaluate
from selfsent.evaluation.tasks.sts import read_pairs


def predicted(model: Table, rows: list[dict]) -> np.ndarray:
    first, second = (model.encode([row[column] for row in rows]) for column in ("sentence1", "sentence2"))
    return (first * second).sum(1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)


def gold(rows: list[dict]) -> np.ndarray:
    return np.array([row["score"] for row in rows])


def test_all_pairs_of_a_task_are_correlated_together(tmp_path):
    report = evaluate(Table(), "sts", sts_folder(tmp_path))
    assert tuple(score.task for score in report.scores) == STS_TASKS
    rows = sts_rows("STS14")
    score = report.score("STS14")
    assert score.value == pytest.approx(spearmanr(predicted(Table(), rows), gold(rows)).statistic)
    assert score.also["pearson"] == pytest.approx(pearsonr(predicted(Table(), rows), gold(rows)).statistic, abs=1e-6)
    assert score.num_items == 12


@pytest.mark.parametrize(("aggregation", "weights"), [("mean", [1, 1]), ("wmean", [5, 7])])
def test_subsets_are_averaged_where_asked(tmp_path, aggregation, weights):
    report = evaluate(Table(), "sts", sts_folder(tmp_path), options=SuiteOptions(aggregation=aggregation))
    rows = sts_rows("STS12")
    by_subset = [spearmanr(predicted(Table(), part), gold(part)).statistic for part in (rows[:5], rows[5:])]
    assert report.score("STS12").value == pytest.approx(np.average(by_subset, weights=weights))


def test_a_task_without_subsets_cannot_be_averaged_over_them(tmp_path):
    rows = [{key: row[key] for key in ("sentence1", "sentence2", "score")} for row in sts_rows("STS12")]
    write_jsonl(sts_folder(tmp_path) / "sts/STS12/test.jsonl", rows)
    with pytest.raises(UserError, match=r"STS12.*`subset`.*use `all`"):
        evaluate(Table(), "sts", tmp_path, options=SuiteOptions(aggregation="mean"))


def test_sts7_is_the_unrounded_mean_of_the_seven(tmp_path):
    report = evaluate(Table(), "sts", sts_folder(tmp_path))
    average = report.averages()["sts7"]
    assert average.value == np.mean([score.value for score in report.scores])
    assert average.ci95[0] < average.value < average.ci95[1]


def test_the_dev_split_has_two_tasks_and_no_sts7(tmp_path):
    report = evaluate(Table(), "sts", sts_folder(tmp_path), options=SuiteOptions(split="dev"))
    assert [score.task for score in report.scores] == ["STSBenchmark", "SICK-R"]
    assert report.averages() == {}
    assert report.scores[0].also["split"] == "dev"


def test_runs_of_white_space_are_one_space(tmp_path):
    write_jsonl(
        tmp_path / "sts/X/test.jsonl", [{"sentence1": " a  b\tc\u00a0d ", "sentence2": "e\r\nf", "score": "4.5"}]
    )
    pairs = read_pairs(tmp_path, "X")
    assert (pairs.sentences1, pairs.sentences2, pairs.gold.tolist()) == (["a b c d"], ["e f"], [4.5])


def test_compressed_files_are_found(tmp_path):
    plain = sts_folder(tmp_path) / "sts/STS12/test.jsonl"
    (tmp_path / "sts/STS12/test.jsonl.xz").write_bytes(lzma.compress(plain.read_bytes()))
    plain.unlink()
    assert len(read_pairs(tmp_path, "STS12").gold) == 12


@pytest.mark.parametrize("wrong", ["high", None, "", float("nan"), [3]])
def test_a_gold_score_that_is_no_number_names_file_and_line(tmp_path, wrong):
    rows = sts_rows("STS12")
    rows[3]["score"] = wrong
    write_jsonl(sts_folder(tmp_path) / "sts/STS12/test.jsonl", rows)
    with pytest.raises(UserError, match=r"STS12/test\.jsonl, line 4: score is .* give a number"):
        evaluate(Table(), "sts", tmp_path)


def test_a_missing_file_is_named_with_its_layout(tmp_path):
    (sts_folder(tmp_path) / "sts/STS15/test.jsonl").unlink()
    with pytest.raises(UserError, match=r"must hold sts/STS15/test\.jsonl .*sentence1, sentence2, score"):
        evaluate(Table(), "sts", tmp_path)


def test_without_a_folder_and_offline_the_wanted_file_is_named():
    with pytest.raises(UserError, match=r"mteb/sts12-sts.*--data-dir.*sts/STS12/test\.jsonl"):
        evaluate(Table(), "sts")


def test_equal_similarities_are_named_and_not_scored(tmp_path):
    class OneDimension:
        def encode(self, inputs, **kwargs):
            return np.array([[float(len(text))] for text in inputs])

    with pytest.raises(UserError, match=r"STS12: the model gives all 12 pairs the similarity 1\.0000"):
        evaluate(OneDimension(), "sts", sts_folder(tmp_path))


def test_gold_scores_that_do_not_differ_are_named(tmp_path):
    rows = [row | {"score": 3} for row in sts_rows("STS13")]
    write_jsonl(sts_folder(tmp_path) / "sts/STS13/test.jsonl", rows)
    with pytest.raises(UserError, match="STS13: all 12 gold scores are 3"):
        evaluate(Table(), "sts", tmp_path)


@pytest.mark.skipif("not __import__('os').environ.get('SELFSENT_SLOW')", reason="minutes; set SELFSENT_SLOW")
@pytest.mark.timeout(3600)
def test_the_reference_model_reaches_its_known_figures_on_the_seven_tasks(data_dir, models_dir):
    report = evaluate(models_dir / "all-MiniLM-L6-v2", "sts", data_dir)
    known = dict(zip(STS_TASKS, (72.37, 80.60, 75.60, 85.39, 78.99, 82.03, 77.15), strict=True))
    assert {score.task: round(100 * score.value, 2) for score in report.scores} == known
    assert round(100 * report.averages()["sts7"].value, 2) == 78.87
