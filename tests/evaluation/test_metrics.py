"""Every suite's metrics: which way they point, and that a saved report tells all that the one in memory does."""

import json
from dataclasses import replace
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
from selfsent.evaluation.metrics import METRICS, Metric, direction_note, metric_named
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
    assert [again.score(name).metric.name for name in ("toy", "docs/toy")] == ["ndcg@10", "ndcg@10"]  # both suites' own
    metrics = {score.metric.name for score in both[0].scores}
    assert metrics == set(METRICS)
    differences = paired_differences(both, num_resamples=50)
    assert paired_differences(saved, num_resamples=50) == differences
    assert {one.metric.name for one in differences} == metrics - WITHOUT_ITEMS
    assert all(one.paired.ci95 is not None for one in differences if one.task.startswith("language-bias/"))
    assert [one.task for one in differences if one.task.startswith("language-bias/")]


def test_a_score_is_the_statistic_of_its_metric_over_its_items_and_gold_is_the_same_for_every_model(
    both: list[Report],
) -> None:
    for one, other in zip(*(report.scores for report in both), strict=True):
        if one.items is None:
            assert one.metric.statistic is None
            continue
        assert one.value == pytest.approx(one.metric.statistic(one.items)), one.task
        equal = one.items.ndim == 2 and one.items.shape[1] > 1 and np.array_equal(one.items[:, 1:], other.items[:, 1:])
        assert equal or not one.metric.has_gold, one.task


def scored(name: str, metric: Metric, items: np.ndarray) -> Run:
    score = Score(
        task=f"task of {metric}",
        metric=replace(metric, statistic=STATISTICS["mean"], has_gold=False),
        value=float(items.mean()),
        ci95=None,
        num_items=len(items),
        items=items[:, None],
    )
    return Run(name=name, report=Report(model=name, scores=(score,), versions={}))


PAINTED = {"higher": "gain", "lower": "loss", "neither": "", None: ""}


@pytest.mark.parametrize("metric", [*METRICS.values(), metric_named("unknown")], ids=str)
def test_a_page_paints_a_gain_where_the_metric_says_so(metric: Metric, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfsent.evaluation.comparison.compare_page.draw", lambda _: {})
    low = np.linspace(0.1, 0.2, 30)
    opposite = {"gain": "loss", "loss": "gain", "": ""}
    painted_up = PAINTED[metric.better]
    for first, second, expected in ((low, low + 0.5, painted_up), (low + 0.5, low, opposite[painted_up])):
        page = to_html(compare_runs([scored("a", metric, first), scored("b", metric, second)], num_resamples=50))
        (painted,) = [kind for kind in ("gain", "loss", "") if f"<span class='{kind}'>" in page]
        assert painted == expected


@pytest.mark.parametrize("name", ["mse", "same_language_first"])
def test_a_higher_error_is_painted_as_a_loss(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfsent.evaluation.comparison.compare_page.draw", lambda _: {})
    low, metric = np.linspace(0.1, 0.2, 30), METRICS[name]
    page = to_html(compare_runs([scored("a", metric, low), scored("b", metric, low + 0.5)], num_resamples=50))
    assert "<span class='loss'>" in page
    assert "<span class='gain'>" not in page


def test_the_sign_of_a_gain_follows_the_direction() -> None:
    assert METRICS["mse"].is_gain(0.01) is False
    assert METRICS["same_language_first"].is_gain(-0.1) is True
    assert METRICS["spearman"].is_gain(-0.1) is False
    assert METRICS["length_bias"].is_gain(0.1) is None


def test_a_saved_report_with_the_metric_of_another_version_opens_without_a_direction(tmp_path: Path) -> None:
    entry = {"metric": "v_measure", "value": 0.5, "ci95": [0.4, 0.6], "n": 3}
    (tmp_path / "r.json").write_text(json.dumps({"model": "m", "tasks": {"t": entry}}), "utf8")
    score = load_report(tmp_path / "r.json").score("t")
    assert (score.metric.name, score.metric.better, score.shown()) == ("v_measure", None, "50.00")


def test_a_number_is_shown_as_it_is_and_a_fraction_times_100() -> None:
    assert METRICS["effective_rank"].shown_interval((1.5, 2)) == "1.500 to 2.000"
    assert METRICS["map"].shown_interval((0.5, 0.75)) == "50.00 to 75.00"
    assert METRICS["map"].shown_interval(None) == "-"


def test_tables_say_where_lower_is_better() -> None:
    assert direction_note([METRICS["spearman"], METRICS["map"]]) == ""
    assert direction_note([METRICS[name] for name in ("mse", "map", "length_bias", "mse")]) == (
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
        reports.append(Report(model=name, scores=tuple(s for s in found.scores if s.metric.name == "length_bias")))
    with pytest.raises(ValueError, match="not scored on the same data"):
        paired_differences(reports)


def test_a_metric_that_is_not_defined_on_the_data_is_left_out_with_a_note(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"sentence1": f"a{i % 5}", "sentence2": f"b{i}", "score": 0.4 * i} for i in range(13)]  # one word each
    write_jsonl(tmp_path / "sts/STSBenchmark/test.jsonl", rows)
    report = evaluate(Table(), "geometry", tmp_path, options=SuiteOptions(num_resamples=10))
    assert "length_bias" not in {score.metric.name for score in report.scores}
    assert "geometry/length_bias is left out" in caplog.text
    report.save(tmp_path / "r.json")
    assert load_report(tmp_path / "r.json").scores == report.scores


def test_a_figure_that_is_undefined_is_left_out_of_the_json(tmp_path: Path) -> None:
    score = Score(
        task="t", metric=METRICS["map"], value=0.5, ci95=None, num_items=3, also={"undefined": float("nan"), "n": 1}
    )
    Report(model="a", scores=(score,)).save(tmp_path / "r.json")
    assert load_report(tmp_path / "r.json").score("t").also == {"n": 1}
