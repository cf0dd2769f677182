"""Opening runs: evaluated once, remembered, refused where the model has changed."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer
from tests.evaluation.conftest import Runs
from tests.evaluation.evaluation_data import noisy_report

from selfsent.errors import UserError
from selfsent.evaluation.comparison import runs as runs_module
from selfsent.evaluation.comparison.compare import compare
from selfsent.evaluation.comparison.runs import brief_names
from selfsent.evaluation.report import load_report
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.model_content import former_content_hashes, model_content_hash

OPTIONS = SuiteOptions(num_resamples=50)


def test_folders_are_evaluated_once_and_again_when_their_model_changes(runs: Runs, monkeypatch: pytest.MonkeyPatch):
    paths, data = [runs.narrow, runs.wide], runs.data
    calls: list[str] = []
    evaluate = runs_module.evaluate

    def counting(model, *arguments, **keywords):
        calls.append(Path(model).name)
        return evaluate(model, *arguments, **keywords)

    monkeypatch.setattr(runs_module, "evaluate", counting)
    first = compare(paths, suites="geometry", data_dir=data, options=OPTIONS)
    assert [run.name for run in first.runs] == ["width8", "width16"]
    assert [run.report.dimension for run in first.runs] == [8, 16]
    again = compare(paths, suites="geometry", data_dir=data, options=OPTIONS)
    assert calls == ["width8", "width16"]
    assert set(first.differences) == set(again.differences)
    assert ("geometry/frequency_bias", "width16") in again.differences  # a statistic of our own survives being saved

    SentenceTransformer(str(paths[1]), device="cpu").save(str(paths[0]))
    compare(paths, suites="geometry", data_dir=data, options=OPTIONS)
    compare(paths, suites="geometry", data_dir=data, options=replace(OPTIONS, seed=1))
    assert calls == ["width8", "width16", "width8", "width8", "width16"]


def test_a_damaged_memory_is_evaluated_again_where_there_is_data_and_named_where_there_is_none(
    runs: Runs, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    shutil.copytree(runs.narrow, tmp_path / "run")
    options = {"suites": "geometry", "options": OPTIONS}
    (first,) = runs_module.open_runs([tmp_path / "run"], data_dir=runs.data, **options)
    (tmp_path / "run" / "evaluation" / "geometry.json").write_text('{"model": "ru', encoding="utf8")
    with pytest.raises(UserError, match=r"geometry\.json"):
        runs_module.open_runs([tmp_path / "run"], **options)
    (again,) = runs_module.open_runs([tmp_path / "run"], data_dir=runs.data, **options)
    assert [score.value for score in again.report.scores] == [score.value for score in first.report.scores]
    assert "the suite is evaluated again" in caplog.text


def test_a_changed_model_is_named_and_refused_with_both_dimensions(runs: Runs, tmp_path: Path):
    paths, data = [runs.narrow, runs.wide], runs.data
    compare(paths, suites="geometry", data_dir=data, options=OPTIONS)
    saved = tmp_path / "report.json"
    load_report(paths[0] / "evaluation/geometry.json").save(saved)
    SentenceTransformer(str(paths[1]), device="cpu").save(str(paths[0]))
    for changed in (paths[0], saved):
        with pytest.raises(UserError, match=r"width8 changed since it was evaluated: then 8 dimensions.*now 16"):
            compare([changed, paths[1]], suites="geometry", options=OPTIONS)


def test_a_report_with_the_former_hash_of_its_model_is_taken_as_before(runs: Runs, tmp_path: Path):
    paths, data = [runs.narrow, runs.wide], runs.data
    (runs.narrow / "texts.txt").write_text("counted by the former hash, and no part of the model")
    compare(paths, suites="geometry", data_dir=data, options=OPTIONS)
    remembered = runs.narrow / "evaluation/geometry.json"
    (former,) = former_content_hashes(runs.narrow) - {model_content_hash(runs.narrow)}
    formerly = replace(load_report(remembered), model_hash=former)
    for path in (remembered, tmp_path / "report.json"):
        formerly.save(path)
        first = compare([path, runs.wide] if path != remembered else paths, suites="geometry", options=OPTIONS)
        assert first.runs[0].report.dimension == 8


def test_a_saved_report_is_a_run(runs: Runs, tmp_path: Path):
    for seed, name in enumerate(("one", "two"), start=1):
        noisy_report(name, seed).save(tmp_path / f"{name}.json")
    comparison = compare([tmp_path / "one.json", tmp_path / "two.json"], options=OPTIONS)
    assert [run.name for run in comparison.runs] == ["one", "two"]
    assert comparison.differences
    with pytest.raises(UserError, match=r"has not been evaluated on sts; name the evaluation data with --data-dir"):
        compare([tmp_path / "one.json", runs.narrow], options=OPTIONS)


def test_names_are_as_brief_as_tells_them_apart():
    assert brief_names(["/runs/a", "/runs/b"]) == ["a", "b"]
    assert brief_names(["/one/model", "/two/model", "/two/other"]) == ["one/model", "two/model", "two/other"]
