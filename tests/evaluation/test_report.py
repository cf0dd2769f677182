"""Reports: the JSON for scripts, what a saved one keeps, paired differences, own labels, evaluators of a training."""

import io
import json
import logging

import numpy as np
import pytest
from rich.console import Console
from tests.evaluation.evaluation_data import Constant, Table, collection, sts_folder, write_jsonl, write_tsv

from selfsent.errors import UserError
from selfsent.evaluation import (
    SuiteOptions,
    evaluate,
    load_report,
    paired_differences,
    render,
    render_differences,
    render_side_by_side,
)
from selfsent.evaluation.evaluator import PairsEvaluator, SuiteEvaluator
from selfsent.evaluation.pairs import evaluate_own_labels
from selfsent.evaluation.statistics import Spearman, paired_bootstrap


class Other(Table):
    def _drawn(self, text):
        return super()._drawn(text + "!")


def printed(table) -> str:
    written = io.StringIO()
    Console(width=200, file=written).print(table)
    return written.getvalue()


def test_the_json_has_the_fields_that_scripts_rely_on(tmp_path, tiny_static_model):
    tiny_static_model.save_pretrained(str(tmp_path / "model"))
    evaluate(tmp_path / "model", "sts", sts_folder(tmp_path)).save(tmp_path / "out/report.json")
    content = json.loads((tmp_path / "out/report.json").read_text("utf8"))
    assert content["model"] == str(tmp_path / "model")
    assert (content["dimension"], len(content["model_hash"])) == (16, 64)
    assert {"metric", "value", "ci95", "n", "also"} <= content["tasks"]["STS12"].keys()
    assert content["tasks"]["STS12"]["n"] == 12
    assert -1 <= content["averages"]["sts7"] <= 1
    assert {"selfsent", "torch", "python"} <= content["versions"].keys()


def test_a_saved_report_can_be_paired_like_the_one_in_memory(tmp_path):
    first, second = (
        evaluate(model, "sts", sts_folder(tmp_path), name=name) for name, model in (("a", Table()), ("b", Other()))
    )
    first.save(tmp_path / "a.json")
    second.save(tmp_path / "b.json")
    saved = paired_differences([load_report(tmp_path / "a.json"), load_report(tmp_path / "b.json")])
    assert saved == paired_differences([first, second])
    expected = paired_bootstrap(first.score("STS16").items, second.score("STS16").items, Spearman())
    assert next(one.paired for one in saved if one.task == "STS16") == expected


def test_tables_show_fractions_times_a_hundred(tmp_path):
    report = evaluate(Table(), "sts", sts_folder(tmp_path), name="mine")
    other = evaluate(Other(), "sts", tmp_path, name="yours")
    assert f"{100 * report.score('STS12').value:.2f}" in printed(render(report))
    assert "sts7" in printed(render_side_by_side([report, other]))
    assert "yours" in printed(render_differences(paired_differences([report, other])))


def test_reports_on_other_data_are_not_paired(tmp_path):
    first = evaluate(Table(), "sts", sts_folder(tmp_path), name="a")
    rows = [{"sentence1": f"x {i}", "sentence2": f"y {i}", "score": i} for i in range(12)]
    write_jsonl(tmp_path / "sts/STS12/test.jsonl", rows)
    second = evaluate(Table(), "sts", tmp_path, name="b")
    with pytest.raises(UserError, match=r"STS12: a .* and b .* not scored on the same data"):
        paired_differences([first, second])


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"model": "a", "tasks": {"STS12": {}}}'])
def test_a_file_that_is_no_report_is_named(tmp_path, content):
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(UserError, match=r"report\.json is no report"):
        load_report(tmp_path / "report.json")


def test_a_report_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"cannot read the report .*none\.json"):
        load_report(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("suites", "message"), [("stss", "no suite named stss; the suites are sts"), (",", "no suite")]
)
def test_an_unknown_suite_lists_the_known_ones(tmp_path, suites, message):
    with pytest.raises(UserError, match=message):
        evaluate(Table(), suites, tmp_path)


def test_a_data_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no folder .*nowhere"):
        evaluate(Table(), "sts", tmp_path / "nowhere")


def own_pairs(path):
    return write_tsv(path, [["sentence1", "sentence2", "score"], *([f"a {i}", f"b {i}", str(i % 3)] for i in range(9))])


def test_own_labels_score_several_models_and_pair_them(tmp_path):
    reports = evaluate_own_labels(
        [Table(), Other()], pairs=own_pairs(tmp_path / "mine.tsv"), qrels=collection(tmp_path / "toy")
    )
    assert [[score.task for score in report.scores] for report in reports] == [["mine", "toy"]] * 2
    differences = paired_differences(reports)
    assert [one.task for one in differences] == ["mine", "toy"]
    expected = reports[0].score("mine").value - reports[1].score("mine").value
    assert differences[0].paired.difference == pytest.approx(expected)


@pytest.mark.parametrize("kwargs", [{}, {"pairs": "none.tsv"}, {"qrels": "nowhere"}])
def test_own_labels_that_are_not_there_are_an_error_of_one_line(kwargs):
    with pytest.raises(UserError) as error:
        evaluate_own_labels([Table()], **kwargs)
    assert "\n" not in str(error.value)


def test_own_pairs_without_a_score_column_or_with_a_bad_score_are_named(tmp_path):
    with pytest.raises(UserError, match="score"):
        evaluate_own_labels([Table()], pairs=write_tsv(tmp_path / "a.tsv", [["sentence1", "sentence2"], ["a", "b"]]))
    own_pairs(tmp_path / "b.tsv")
    with (tmp_path / "b.tsv").open("a") as file:
        file.write("x\ty\thigh\n")
    with pytest.raises(UserError, match=r"b\.tsv, line 11"):
        evaluate_own_labels([Table()], pairs=tmp_path / "b.tsv")


def test_the_training_evaluator_gives_the_dev_correlation_as_its_primary_metric(tmp_path, tiny_static_model):
    evaluator = PairsEvaluator.of_sts_dev(sts_folder(tmp_path))
    metrics = evaluator(tiny_static_model, epoch=0, steps=1)
    report = evaluate(tiny_static_model, "sts", tmp_path, options=SuiteOptions(split="dev"))
    assert evaluator.primary_metric == "sts_dev_spearman"
    assert metrics["sts_dev_spearman"] == pytest.approx(report.score("STSBenchmark").value)
    assert metrics["sts_dev_pearson"] == pytest.approx(report.score("STSBenchmark").also["pearson"])


def test_a_collapsed_model_scores_zero_with_a_warning_during_training_and_nan_stops_it(
    tmp_path, tiny_static_model, caplog, monkeypatch
):
    evaluator = PairsEvaluator.of_sts_dev(sts_folder(tmp_path))
    monkeypatch.setattr(tiny_static_model, "encode", Constant().encode)
    with caplog.at_level(logging.WARNING):
        assert evaluator(tiny_static_model, steps=7)["sts_dev_spearman"] == 0.0
    assert "sts_dev at step 7" in caplog.text
    monkeypatch.setattr(tiny_static_model, "encode", Constant(np.nan).encode)
    with pytest.raises(UserError, match="NaN"):
        evaluator(tiny_static_model)


def test_whole_suites_can_follow_a_training(tmp_path, tiny_static_model):
    evaluator = SuiteEvaluator(data_dir=sts_folder(tmp_path))
    metrics = evaluator(tiny_static_model)
    assert metrics.keys() == {"STSBenchmark_spearman", "SICK-R_spearman"}
    assert evaluator.primary_metric == "STSBenchmark_spearman"
