"""Every suite's metrics: which way they point, and that a saved report tells all that the one in memory does."""

from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from tests.conftest import SENTENCES
from tests.evaluation.evaluation_data import (
    Other,
    Table,
    collection,
    noisy_report,
    sts_folder,
    write_jsonl,
    write_tsv,
)
from tests.evaluation.tasks.test_probe import write_mrpc
from tests.evaluation.tasks.test_structure import TREES, Branching

from selfsent.evaluation import Report, SuiteOptions, evaluate, load_report, paired_differences
from selfsent.evaluation.comparison.compare import compare_runs, render
from selfsent.evaluation.comparison.compare_page import to_html
from selfsent.evaluation.comparison.runs import Run
from selfsent.evaluation.metrics import (
    HIGHER_IS_BETTER,
    LOWER_IS_BETTER,
    NEITHER_IS_BETTER,
    direction_note,
    is_gain,
)
from selfsent.evaluation.score import Score
from selfsent.evaluation.statistics import STATISTICS
from selfsent.evaluation.suites import SUITES
from selfsent.evaluation.tasks import probe
from selfsent.evaluation.tasks.labelled_texts import PROBE_TASKS
from selfsent.evaluation.tasks.retrieval import read_collection
from selfsent.trees.builders import left_branching

WITHOUT_ITEMS = {"uniformity", "anisotropy", "effective_rank"}


def trees_and_vectors(table: Table, build: object) -> object:
    """A tree model of fixed trees that also encodes."""
    model = Branching(build) if build else Branching()
    model.encode = table.encode  # type: ignore[method-assign]
    return model


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_static_model: SentenceTransformer) -> list[Report]:
    """Reports of two models on every suite there is, over small data of each."""
    data = sts_folder(tmp_path / "data")
    pairs = [{"sentence1": f"a{i % 5} b", "sentence2": f"b{i}" + " b" * (i % 3), "score": 0.4 * i} for i in range(13)]
    write_jsonl(data / "sts/STSBenchmark/test.jsonl", pairs)
    write_jsonl(data / "sts/STSBenchmarkMultilingual/de-test.jsonl", pairs)
    collection(data / "retrieval/toy")
    words = [["word1", "word2", "score"], *([f"w{i}", f"v{i}", str(i % 4)] for i in range(9))]
    for task in ("simlex999", "wordsim353_similarity", "wordsim353_relatedness"):
        write_tsv(data / f"lexical/{task}.tsv", words)
    row = {"query": "q", "positive": ["p1", "p2"], "negative": ["n1", "n2"]}
    write_jsonl(data / "rerank/Ask/test.jsonl", [row, row | {"query": "r"}])
    write_tsv(data / "parallel/toy/test.tsv", [["en", "de"], *([f"{text} en", text] for text in SENTENCES)])
    (data / "trees").mkdir()
    (data / "trees/ptb-sample.mrg").write_text(TREES, "utf8")
    write_mrpc(data, num_train=60)
    monkeypatch.setattr(probe.evaluate, "__kwdefaults__", {"tasks": {"MRPC": PROBE_TASKS["MRPC"]}, "features": None})
    monkeypatch.setattr(
        "selfsent.evaluation.tasks.docs_retrieval.docs_collection", lambda _: read_collection(data / "retrieval/toy")
    )
    monkeypatch.setattr("selfsent.evaluation.tasks.docs_retrieval.open_docstrings", lambda: None)
    tiny_static_model.save_pretrained(str(tmp_path / "teacher"))
    documents = [
        {"_id": str(n), "title": f"Title {n}", "text": f"First of {n}. Second of {n} is longer. Third."}
        for n in range(40)
    ]
    write_jsonl(data / "documents.jsonl", documents)
    options = SuiteOptions(num_resamples=50, teacher=str(tmp_path / "teacher"), data=str(data / "documents.jsonl"))
    models = {
        "one": trees_and_vectors(Table(dimension=16), None),
        "other": trees_and_vectors(Other(dimension=16), left_branching),
    }
    return [evaluate(model, list(SUITES), data, options=options, name=name) for name, model in models.items()]


def test_every_suite_round_trips_with_value_interval_number_direction_and_difference(
    both: list[Report], tmp_path: Path
) -> None:
    for report in both:
        report.save(tmp_path / f"{report.model}.json")
    saved = [load_report(tmp_path / f"{report.model}.json") for report in both]
    assert both[0].settings["suites"] == list(SUITES)
    for report, again in zip(both, saved, strict=True):
        assert again.scores == report.scores  # task, metric, value, ci95, num_items, also
        assert again.averages() == report.averages()
    assert [again.score(name).metric for name in ("toy", "docs/toy")] == ["ndcg@10", "ndcg@10"]  # both suites' own
    metrics = {score.metric for score in both[0].scores}
    assert metrics == HIGHER_IS_BETTER | LOWER_IS_BETTER | NEITHER_IS_BETTER
    differences = paired_differences(both, num_resamples=50)
    assert paired_differences(saved, num_resamples=50) == differences
    assert {one.metric for one in differences} == metrics - WITHOUT_ITEMS


def scored(name: str, metric: str, items: np.ndarray) -> Run:
    score = Score(
        task=f"task of {metric}",
        metric=metric,
        value=float(items.mean()),
        ci95=None,
        num_items=len(items),
        items=items[:, None],
        statistic=STATISTICS["mean"],
    )
    return Run(name=name, report=Report(model=name, scores=(score,), versions={}))


@pytest.mark.parametrize("metric", sorted(HIGHER_IS_BETTER | LOWER_IS_BETTER | NEITHER_IS_BETTER | {"unknown"}))
def test_a_page_paints_a_gain_where_the_metric_says_so(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfsent.evaluation.comparison.compare_page.draw", lambda _: {})
    monkeypatch.setattr("selfsent.evaluation.differences._PREDICTED_THEN_DATA", set())
    low = np.linspace(0.1, 0.2, 30)
    for first, second, is_up in ((low, low + 0.5, True), (low + 0.5, low, False)):
        page = to_html(compare_runs([scored("a", metric, first), scored("b", metric, second)], num_resamples=50))
        (painted,) = [kind for kind in ("gain", "loss", "") if f"<span class='{kind}'>" in page]
        if metric in HIGHER_IS_BETTER:
            assert painted == ("gain" if is_up else "loss")
        elif metric in LOWER_IS_BETTER:
            assert painted == ("loss" if is_up else "gain")
        else:
            assert painted == ""


def test_a_higher_error_is_no_gain() -> None:
    assert is_gain("mse", 0.01) is False
    assert is_gain("same_language_first", -0.1) is True
    assert is_gain("spearman", -0.1) is False
    assert is_gain("length_bias", 0.1) is None


def test_tables_say_where_lower_is_better() -> None:
    assert direction_note(["spearman", "map"]) == ""
    assert direction_note(["mse", "map", "length_bias", "mse"]) == (
        "mse: lower is better; length_bias: neither direction is better."
    )
    runs = [Run(name=name, report=noisy_report(name, n)) for n, name in enumerate("ab", start=1)]
    assert "alignment, uniformity: lower is better." in str(render(compare_runs(runs, num_resamples=20)).caption)


def test_biases_of_other_data_are_not_paired(tmp_path: Path) -> None:
    reports: list[Report] = []
    for name, score in (("a", 0.1), ("b", 0.11)):
        rows = [{"sentence1": f"a{i % 5} b", "sentence2": f"b{i}" + " b" * (i % 3)} for i in range(13)]
        rows = [row | {"score": 5 - score * i * (i % 4)} for i, row in enumerate(rows)]
        write_jsonl(tmp_path / "sts/STSBenchmark/test.jsonl", rows)
        found = evaluate(Table(), "geometry", tmp_path, options=SuiteOptions(num_resamples=10), name=name)
        reports.append(Report(model=name, scores=tuple(s for s in found.scores if s.metric == "length_bias")))
    with pytest.raises(ValueError, match="not scored on the same data"):
        paired_differences(reports)


def test_a_metric_that_is_not_defined_on_the_data_is_left_out_with_a_note(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"sentence1": f"a{i % 5}", "sentence2": f"b{i}", "score": 0.4 * i} for i in range(13)]  # one word each
    write_jsonl(tmp_path / "sts/STSBenchmark/test.jsonl", rows)
    report = evaluate(Table(), "geometry", tmp_path, options=SuiteOptions(num_resamples=10))
    assert "length_bias" not in {score.metric for score in report.scores}
    assert "geometry/length_bias is left out" in caplog.text
    report.save(tmp_path / "r.json")
    assert load_report(tmp_path / "r.json").scores == report.scores


def test_a_figure_that_is_undefined_is_left_out_of_the_json(tmp_path: Path) -> None:
    score = Score(task="t", metric="map", value=0.5, ci95=None, num_items=3, also={"undefined": float("nan"), "n": 1})
    Report(model="a", scores=(score,)).save(tmp_path / "r.json")
    assert load_report(tmp_path / "r.json").score("t").also == {"n": 1}
