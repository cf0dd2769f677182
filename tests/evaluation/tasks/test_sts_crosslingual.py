"""Cross-lingual STS: every language beside English, and nothing else."""

import pytest
from tests.evaluation.evaluation_data import Table, write_jsonl

from selfsent.errors import UserError
from selfsent.evaluation import SuiteOptions, evaluate


def rows(language: str) -> list[dict]:
    return [{"sentence1": f"{language} a{i}", "sentence2": f"{language} b{i}", "score": i % 5} for i in range(12)]


def test_english_first_sentences_meet_translated_second_ones(tmp_path):
    write_jsonl(tmp_path / "sts/STSBenchmark/test.jsonl", rows("en"))
    for language in ("de", "fr"):
        write_jsonl(tmp_path / f"sts/STSBenchmarkMultilingual/{language}-test.jsonl", rows(language))
    model = Table()
    tasks = [score.task for score in evaluate(model, "sts-crosslingual", tmp_path).scores]
    assert tasks == ["STSBenchmarkMultilingual/en-de", "STSBenchmarkMultilingual/en-fr"]
    assert not any(text.startswith(("de a", "en b", "fr a")) for text in model.asked)
    options = SuiteOptions(languages=("fr",))
    tasks = [score.task for score in evaluate(Table(), "sts-crosslingual", tmp_path, options=options).scores]
    assert tasks == ["STSBenchmarkMultilingual/en-fr"]


def test_without_a_folder_the_languages_must_be_named():
    with pytest.raises(UserError, match="--data-dir"):
        evaluate(Table(), "sts-crosslingual", None)
