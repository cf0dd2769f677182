"""STS by language and across languages."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from tests.evaluation.evaluation_data import Table, sts_rows, write_jsonl

from selfsent.errors import UserError
from selfsent.evaluation import SuiteOptions, evaluate
from selfsent.evaluation.report import Report


def predicted(model: Table, rows: list[dict]) -> np.ndarray:
    first, second = (model.encode([row[column] for row in rows]) for column in ("sentence1", "sentence2"))
    return (first * second).sum(1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)


def gold(rows: list[dict]) -> np.ndarray:
    return np.array([row["score"] for row in rows])


def multilingual(tmp_path) -> None:
    for language in ("de", "zh"):
        rows = [row | {"sentence1": f"{language} {row['sentence1']}"} for row in sts_rows("STSBenchmark")]
        write_jsonl(tmp_path / f"sts/STSBenchmarkMultilingual/{language}-test.jsonl", rows)
    write_jsonl(tmp_path / "sts/STSBenchmark/test.jsonl", sts_rows("STSBenchmark"))


def test_every_language_there_is_gets_a_task(tmp_path):
    multilingual(tmp_path)
    report: Report = evaluate(Table(), "sts-multilingual", tmp_path)
    assert [score.task for score in report.scores] == ["STSBenchmarkMultilingual/de", "STSBenchmarkMultilingual/zh"]
    assert list(report.averages()) == ["STSBenchmarkMultilingual"]


def test_a_cross_lingual_task_pairs_line_by_line(tmp_path):
    multilingual(tmp_path)
    report = evaluate(Table(), "sts-multilingual", tmp_path, options=SuiteOptions(languages=("zh-en",)))
    rows = [row | {"sentence1": f"zh {row['sentence1']}"} for row in sts_rows("STSBenchmark")]
    assert report.scores[0].value == pytest.approx(spearmanr(predicted(Table(), rows), gold(rows)).statistic)


def test_languages_that_are_not_line_parallel_are_refused(tmp_path):
    multilingual(tmp_path)
    write_jsonl(tmp_path / "sts/STSBenchmark/test.jsonl", sts_rows("STSBenchmark")[::-1])
    with pytest.raises(UserError, match="en and de do not hold the same pairs"):
        evaluate(Table(), "sts-multilingual", tmp_path, options=SuiteOptions(languages=("en-de",)))


def test_no_language_at_all_names_the_file_wanted(tmp_path):
    with pytest.raises(UserError, match=r"de-test\.jsonl"):
        evaluate(Table(), "sts-multilingual", tmp_path)
