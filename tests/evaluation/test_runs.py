"""Opening runs: evaluated once, remembered, refused where the model has changed."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from transformers import PreTrainedTokenizerFast

from selfsent.errors import UserError
from selfsent.evaluation import runs as runs_module
from selfsent.evaluation.compare import compare
from selfsent.evaluation.report import Report, load_report
from selfsent.evaluation.runs import brief_names, read_curve
from selfsent.evaluation.score import Score
from selfsent.evaluation.statistics import STATISTICS
from selfsent.evaluation.suites import SuiteOptions

OPTIONS = SuiteOptions(num_resamples=50)


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


@pytest.fixture
def folders(tiny_tokenizer: PreTrainedTokenizerFast, sentences: list[str], tmp_path: Path) -> tuple[list[Path], Path]:
    """Two saved models of different width, and evaluation data."""
    for width in (8, 16):
        static = StaticEmbedding(tiny_tokenizer.backend_tokenizer, embedding_dim=width)
        SentenceTransformer(modules=[static], device="cpu").save(str(tmp_path / f"width{width}"))
    data = tmp_path / "data"
    (data / "sts/STSBenchmark").mkdir(parents=True)
    rows = [
        {"sentence1": one, "sentence2": other, "score": 5.0 * (number % 2) + number / 100}
        for number, (one, other) in enumerate(pairwise(sentences))
    ]
    (data / "sts/STSBenchmark/test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [tmp_path / "width8", tmp_path / "width16"], data


def test_folders_are_evaluated_once_and_again_when_their_model_changes(
    folders: tuple[list[Path], Path], monkeypatch: pytest.MonkeyPatch
):
    paths, data = folders
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


def test_a_changed_model_is_named_and_refused_with_both_dimensions(folders: tuple[list[Path], Path], tmp_path: Path):
    paths, data = folders
    compare(paths, suites="geometry", data_dir=data, options=OPTIONS)
    saved = tmp_path / "report.json"
    load_report(paths[0] / "evaluation/geometry.json").save(saved)
    SentenceTransformer(str(paths[1]), device="cpu").save(str(paths[0]))
    for changed in (paths[0], saved):
        with pytest.raises(UserError, match=r"width8 changed since it was evaluated: then 8 dimensions.*now 16"):
            compare([changed, paths[1]], suites="geometry", options=OPTIONS)


def test_a_saved_report_is_a_run(folders: tuple[list[Path], Path], tmp_path: Path):
    paths, _ = folders
    for seed, name in enumerate(("one", "two"), start=1):
        report(name, seed).save(tmp_path / f"{name}.json")
    comparison = compare([tmp_path / "one.json", tmp_path / "two.json"], options=OPTIONS)
    assert [run.name for run in comparison.runs] == ["one", "two"]
    assert comparison.differences
    with pytest.raises(UserError, match=r"has not been evaluated on sts; name the evaluation data with --data-dir"):
        compare([tmp_path / "one.json", paths[0]], options=OPTIONS)


def test_names_are_as_brief_as_tells_them_apart():
    assert brief_names(["/runs/a", "/runs/b"]) == ["a", "b"]
    assert brief_names(["/one/model", "/two/model", "/two/other"]) == ["one/model", "two/model", "two/other"]


def test_a_torn_last_line_of_a_curve_is_left_out_and_a_broken_one_named(tmp_path: Path):
    path = tmp_path / "metrics.jsonl"
    assert read_curve(path) == []
    path.write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "lo')
    assert read_curve(path) == [{"step": 1, "loss": 2.0}]
    path.write_text('{"step": 1}\nnonsense\n')
    with pytest.raises(UserError, match=r"metrics\.jsonl, line 2: no JSON"):
        read_curve(path)
