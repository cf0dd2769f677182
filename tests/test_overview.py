"""The overview of docs/results.md: what it says is what results/ holds, and its pictures are the drawn ones."""

import json
import re

import pytest
from tools import overview
from tools.overview import FAMILIES, RESULTS, measured, models, table_of


def test_every_model_of_the_overview_is_measured():
    assert {model.family for model in models()} >= set(FAMILIES)
    for model in models():
        found = measured(model)
        assert found.quality, model.name
        assert bool(found.speed) == bool(model.encoder), model.name
        assert bool(found.minutes) == (not model.name.startswith(("MiniLM", "`bert"))), model.name


def test_the_figures_of_a_row_are_those_of_its_table_in_points_and_minutes():
    headings, rows = table_of("pairs")
    row = dict(zip(headings, next(row for row in rows if row[0] == "SCT, 150 steps"), strict=True))
    line = (RESULTS / "sct-vs-simcse" / "table.md").read_text("utf8").split("| sct |")[1].split("\n")[0]
    assert f"| {row['STS-B dev']} |" in line
    assert f"| {row['sts7']} |" in line
    runs = json.loads((RESULTS / "sct-vs-simcse" / "table.json").read_text("utf8"))["rows"]
    seconds = next(run["figures"]["seconds"]["values"] for run in runs if run["name"] == "sct")
    assert row["minutes"] == f"{sum(seconds) / len(seconds) / 60:.1f}"


def test_the_speed_of_a_row_is_that_of_its_shape_in_two_digits():
    headings, rows = table_of("distillation")
    speeds = json.loads((RESULTS / "encoding-speed.json").read_text("utf8"))["sentences_per_second"]
    shown = {row[0]: row[headings.index("sentences/s")] for row in rows}
    assert float(shown["MiniLM, the teacher"]) == float(f"{speeds['MiniLM']:.2g}")
    column = table_of("trees")[0].index("sentences/s")
    by_name = {row[0]: row[column] for row in table_of("trees")[1]}
    assert by_name["parsed trees, the same"] == ""
    assert float(by_name["`tree-10m`"].replace(",", "")) == float(f"{speeds['tree-10m']:.2g}")
    absent = overview.Model(name="a", family="trees", source="structure-table-10m", size_mib=1, encoder="shrub")
    with pytest.raises(KeyError, match="shrub"):
        measured(absent)


def test_a_run_that_is_not_finished_is_not_shown():
    absent = overview.Model(name="a", family="trees", source="structure-table-10m", row="balanced-ce", size_mib=1)
    with pytest.raises(KeyError, match="no finished run balanced-ce"):
        measured(absent)
    with pytest.raises(KeyError, match="no family shrubs"):
        table_of("shrubs")


@pytest.mark.parametrize("name", ["minutes", "size", "speed"])
def test_pictures_are_those_that_the_command_draws_and_no_name_leaves_them(name: str):
    drawing = getattr(overview, f"quality_by_{name}")()
    assert (overview.PICTURES / f"results-{name}.svg").read_text("utf8") == drawing, "run python -m tools.overview"
    labels = re.findall(
        r'<text x="([\d.]+)" y="([\d.]+)" font-size="12" text-anchor="start" fill[^>]*>([^<]+)<', drawing
    )
    marked = {model.mark for model in models() if model.mark}
    assert {label for *_, label in labels} & marked
    for x, y, label in labels:
        assert float(x) + 6.6 * len(label) < 820, label
        assert float(y) < 440, label
