"""The page of a comparison stands alone."""

from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from pathlib import Path

from tests.evaluation.evaluation_data import noisy_report

from selfsent.evaluation.comparison.compare import Comparison, compare_runs, legend, render, to_markdown
from selfsent.evaluation.comparison.compare_page import save, to_html
from selfsent.evaluation.comparison.runs import Run
from selfsent.evaluation.metrics import METRICS
from selfsent.evaluation.score import Score
from selfsent.printed_text import in_markdown


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href"}]


def test_the_page_holds_every_plot_and_fetches_nothing(tmp_path: Path):
    curve = [{"step": step, "loss": 1 / (1 + step), "eval_spearman": None if step == 1 else 0.5} for step in range(5)]
    compared = compare_runs(
        [Run(name=f"<b>{seed}", report=noisy_report(f"<b>{seed}", seed), curve=curve) for seed in (1, 2)],
        num_resamples=50,
    )
    html = to_html(compared)
    page = Page()
    page.feed(html)
    assert page.tags.count("svg") == 4
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert all(source.startswith(("#", "data:")) for source in page.sources)
    assert "<b>1" not in html
    save(compared, tmp_path / "page.html")
    save(compared, tmp_path / "table.md")
    assert (tmp_path / "page.html").read_text("utf8") == to_html(compared)
    assert (tmp_path / "table.md").read_text("utf8") == to_markdown(compared)


def test_the_page_the_table_and_markdown_have_one_legend():
    runs = [Run(name=name, report=noisy_report(name, seed)) for seed, name in enumerate("ab", start=1)]
    for comparison in (compare_runs(runs, num_resamples=20), Comparison(runs=runs, differences={})):
        said = legend(comparison)
        assert f"<p>{escape(said)}</p>" in to_html(comparison)
        assert in_markdown(said) in to_markdown(comparison)
        assert str(render(comparison).caption) == said
        assert ("The difference is the run less a" in said) == bool(comparison.differences)


def test_plots_without_data_are_left_out():
    bare = replace(noisy_report("a", 1), scores=noisy_report("a", 1).scores[:1])
    page = Page()
    page.feed(to_html(compare_runs([Run(name=name, report=bare) for name in "ab"], num_resamples=50)))
    assert page.tags.count("svg") == 2  # scores and scatter


def test_the_page_says_which_tasks_its_plot_leaves_out():
    alone = Score(task="PTB", metric=METRICS["f1"], value=0.2, ci95=None, num_items=3)
    one, other = noisy_report("a", 1), noisy_report("b", 2)
    with_trees = replace(one, scores=(*one.scores, alone))
    both = [replace(report, scores=(*report.scores, alone)) for report in (one, other)]
    left_out = "Left out, since one run alone has them: PTB."
    assert left_out in to_html(compare_runs([Run(name="a", report=with_trees), Run(name="b", report=other)]))
    assert left_out not in to_html(compare_runs([Run(name=report.model, report=report) for report in both]))
