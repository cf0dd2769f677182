"""Reports: the JSON for scripts, what a saved one keeps, paired differences, own labels, evaluators of a training."""

import json

import pytest
from tests.evaluation.evaluation_data import Other, Table, printed, sts_folder

from selfsent.errors import UserError
from selfsent.evaluation import (
    evaluate,
    load_report,
    paired_differences,
    render,
    render_differences,
    render_side_by_side,
)
from selfsent.evaluation.statistics import Spearman, paired_bootstrap
from selfsent.provenance import package_version


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
    expected = paired_bootstrap(second.score("STS16").items, first.score("STS16").items, Spearman())
    assert next(one.paired for one in saved if one.task == "STS16") == expected


def test_a_byte_order_mark_is_no_part_of_a_report(tmp_path):
    evaluate(Table(), "sts", sts_folder(tmp_path), name="a").save(tmp_path / "a.json")
    (tmp_path / "a.json").write_text((tmp_path / "a.json").read_text("utf8"), encoding="utf-8-sig")
    assert load_report(tmp_path / "a.json").model == "a"


def test_means_are_the_values_of_the_averages(tmp_path):
    report = evaluate(Table(), "sts", sts_folder(tmp_path))
    assert report.means() == {name: average.value for name, average in report.averages().items()}
    assert list(report.means()) == ["sts7"]


def test_tables_show_fractions_times_a_hundred(tmp_path):
    report = evaluate(Table(), "sts", sts_folder(tmp_path), name="mine")
    other = evaluate(Other(), "sts", tmp_path, name="yours")
    assert f"{100 * report.score('STS12').value:.2f}" in printed(render(report))
    assert "sts7" in printed(render_side_by_side([report, other]))
    assert "yours" in printed(render_differences(paired_differences([report, other])))


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"model": "a", "tasks": {"STS12": {}}}'])
def test_a_file_that_is_no_report_is_named(tmp_path, content):
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(UserError, match=r"report\.json is not a report"):
        load_report(tmp_path / "report.json")


def test_a_report_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"cannot read the report .*none\.json"):
        load_report(tmp_path / "none.json")


def test_a_package_that_is_not_installed_has_an_unknown_version() -> None:
    assert package_version("surely-not-installed-xyz") == "unknown"
