"""Names, paths and texts are printed as they are, on every path by which something reaches a person."""

import ast
import dataclasses
import html
import io
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt
from rich.console import Console, Group
from tests.evaluation.evaluation_data import noisy_report

from selfsent import evaluation, printed_text
from selfsent.demo import Demo
from selfsent.demo import render as render_demo
from selfsent.document_report import render as render_report
from selfsent.drawing.one_tree import svg
from selfsent.evaluation.comparison import compare, compare_page
from selfsent.evaluation.comparison.runs import Run
from selfsent.printed_text import TextTable, in_markdown, plain, progress_bar, show, visible
from selfsent.runs.run_table import Line, Outcome, RunTable
from selfsent.runs.tuning import Trial, Tuned
from selfsent.search.semantic_search import Hit, render_hits
from selfsent.trees.builders import left_branching

PACKAGE = Path(__file__).parents[1] / "src" / "selfsent"
NASTY = ("host:key:value", "m[red]v2", "o/[/x]", "[link=x]y[/link]", "a\x1b[31mb", "x\x9b2Jy", r"back\slash", "m\udcff")


def written(renderable: object) -> str:
    """What a console of rich's defaults, which parses markup and emoji, writes of something."""
    stream = io.StringIO()
    Console(file=stream, width=300).print(renderable)
    return stream.getvalue()


def reports(name: str) -> list[evaluation.Report]:
    """Two reports whose models and tasks have the name."""
    named = [dataclasses.replace(noisy_report(f"{name}{n}", n), versions={}) for n in (1, 2)]
    return [
        dataclasses.replace(one, scores=tuple(dataclasses.replace(s, task=f"{name}/{s.task}") for s in one.scores))
        for one in named
    ]


def comparison(name: str) -> compare.Comparison:
    runs = [Run(name=report.model, report=report) for report in reports(name)]
    return compare.compare_runs(runs, num_resamples=20)


def demo_of(name: str) -> Demo:
    scores = {"ndcg@10": 0.5, "recall@10": 0.5, "ci95": [0.4, 0.6]}
    report = {
        "seconds": 1.0,
        "corpus": {"queries": 3},
        "retrieval": {"trained": scores},
        "paths": {"store": name},
    }
    hit = Hit(rank=1, score=0.5, text=name, id="a", provenance={"package": name})
    return Demo(report=report, answers={name: [hit]}, tree=name)


def table_of(name: str) -> RunTable:
    line = Line(name=name, settings={}, outcomes=[Outcome(seed=1, figures={name: ("spearman", 0.5)})])
    return RunTable(name="x", title=name, evaluated=name, lines=[line], failed={name: name}, missing=[name])


def hits_of(name: str) -> list[Hit]:
    return [Hit(rank=1, score=0.5, text=name, id="a", provenance={"file": name, "line": 3})]


PATHS: dict[str, Callable[[str], object]] = {
    "evaluation.report.render": lambda name: evaluation.render(reports(name)[0]),
    "evaluation.differences.render_side_by_side": lambda name: evaluation.render_side_by_side(reports(name)),
    "evaluation.differences.render_differences": lambda name: evaluation.render_differences(
        evaluation.paired_differences(reports(name), num_resamples=20)
    ),
    "evaluation.differences.render_baselines": lambda name: evaluation.render_baselines(
        reports(name), num_resamples=20
    ),
    "evaluation.comparison.compare.render": lambda name: compare.render(comparison(name)),
    "runs.run_table.render": lambda name: table_of(name).render(),
    "runs.tuning.render": lambda name: Tuned(trials=[Trial(folder=name, settings={name: name}, failure=name)]).render(),
    "search.hit_table.render_hits": lambda name: render_hits(hits_of(name)),
    "document_report.terminal._table": lambda name: Group(*render_report(demo_of(name).report)),
    "demo.render": lambda name: Group(*render_demo(demo_of(name))),
}


def functions_that_make_tables() -> Iterator[str]:
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text("utf8"))):
            if isinstance(node, ast.FunctionDef) and node.returns and ast.unparse(node.returns) == "TextTable":
                yield f"{module}.{node.name}"


def test_every_function_that_makes_a_table_is_tested_here() -> None:
    # The listings show names of the package's own, which are plain words.
    others = {name for name in functions_that_make_tables() if not name.startswith("listings.")}
    assert others == PATHS.keys() - {"demo.render"}


@pytest.mark.parametrize("nasty", NASTY)
@pytest.mark.parametrize("path", PATHS)
def test_a_name_is_printed_as_it_is_on_every_path(path: str, nasty: str) -> None:
    shown = written(PATHS[path](nasty))
    assert visible(nasty) in shown
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", shown)


@pytest.mark.parametrize("nasty", NASTY)
def test_a_note_is_printed_as_it_is_on_a_line_of_its_own(nasty: str, capsys: pytest.CaptureFixture[str]) -> None:
    note = f"model written to {'long/' * 40}{nasty}"
    show(note, nasty)
    assert capsys.readouterr().out.splitlines() == [visible(note), visible(nasty)]


def test_nothing_else_in_the_package_makes_text_renderable() -> None:
    found: list[str] = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text("utf8")
        if path.name == "printed_text.py":
            continue
        for node in ast.walk(ast.parse(text)):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            names = {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom | ast.Import) else set()
            if module.startswith("rich") and not names <= {"Group", "RenderableType", "Padding"}:
                found.append(f"{path.name}: {module} {names}")
            if any(name.split(".")[0] == "rich" for name in names) or re.search(r"\[/?bold\]", text):
                found.append(f"{path.name}: markup")
    assert found == []


def test_a_text_of_several_lines_keeps_them_and_a_message_has_one() -> None:
    assert visible("a\r\nb\tc\x07", lines=True) == "a\nb\tc\\x07"
    assert visible("a\nb\u2028c\x85") == "a\\nb\\u2028c\\x85"
    assert visible("Tschüß 東京 שלום 🔑") == "Tschüß 東京 שלום 🔑"


def test_a_style_is_of_the_whole_text_and_of_nothing_in_it() -> None:
    text = plain("m[red]v2", "bold")
    assert (text.plain, str(text.style), text.spans) == ("m[red]v2", "bold", [])
    table = TextTable(title="[b]t", caption="[i]c")
    table.add_column("[u]h")
    table.add_row("[s]x", style="bold")
    assert all(part in written(table) for part in ("[b]t", "[i]c", "[u]h", "[s]x"))


IN_MARKDOWN = (
    *NASTY,
    "a|b",
    r"a\|b",
    "<b>x</b>",
    "a < b > c",
    "_x_",
    "*x*",
    "`x`",
    "a&lt;b",
    "~~x~~",
    "[a](b)",
    "a_b_c",
)


@pytest.mark.parametrize("name", IN_MARKDOWN)
def test_markdown_shows_a_name_as_it_is(name: str) -> None:
    markdown = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    for table in (compare.to_markdown(comparison(name)), table_of(name).to_markdown()):
        rendered = markdown.render(table)
        cells = [
            html.unescape(re.sub("<[^>]*>", "", cell)) for cell in re.findall("<t[hd][^>]*>(.*?)</t[hd]>", rendered)
        ]
        assert any(cell.startswith(visible(name)) for cell in cells), cells
        assert len({line.count("<td") for line in re.findall("<tr>.*?</tr>", rendered, re.DOTALL)[1:]}) == 1
    assert in_markdown("sts_dev_spearman ndcg@10") == "sts_dev_spearman ndcg@10"
    assert in_markdown(":key:") == "\\:key:"


@pytest.mark.parametrize("name", ["<b>x</b>", "a&lt;b", 'x" onload="y', "$\\frac$", "_hidden"])
def test_the_page_of_a_comparison_shows_a_name_as_it_is(name: str) -> None:
    pytest.importorskip("matplotlib")
    page = compare_page.to_html(comparison(name))
    assert f"<th>{html.escape(name)}1<br>" in page
    assert name not in page or "<" not in name
    drawn = {html.unescape(text).strip() for text in re.findall("<!-- (.*?) -->", page)}  # matplotlib's notes
    assert {f"{name}1", f"{name}2"} <= drawn


@pytest.mark.parametrize("name", NASTY)
def test_a_picture_of_a_tree_is_xml_whatever_its_words_are(name: str) -> None:
    tree = left_branching(3)
    root = ET.fromstring(svg([name, "<b>", "&"], tree.left, tree.right, title=name))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[2:] == ["<b>", "&"]
    assert texts[0] == texts[1] == re.sub("[\x1b\udcff]", "\ufffd", name)


def test_a_progress_bar_does_not_pass_commands_on(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}
    monkeypatch.setattr("tqdm.auto.tqdm", lambda _, **options: given.update(options))
    progress_bar(range(3), what="a\x1b[31m documents", unit="text")
    assert given["desc"] == "a\\x1b[31m documents"


def test_a_bar_gives_its_items_and_is_silent_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress_bar([3, 1, 2], what="counting", unit="number")) == [3, 1, 2]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("after_s", "is_shown"), [(60.0, False), (0.0, True)])
def test_a_bar_shows_on_a_terminal_once_something_takes_long(
    after_s: float, is_shown: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(printed_text, "_AFTER_S", after_s)
    with progress_bar(total=4, what="counting", unit="number") as bar:
        bar.update(4)
    assert ("counting" in capsys.readouterr().err) == is_shown
