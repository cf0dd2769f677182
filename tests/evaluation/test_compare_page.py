"""The page of a comparison stands alone."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from selfsent.evaluation.compare import compare_runs, to_markdown
from selfsent.evaluation.compare_page import save, to_html
from selfsent.evaluation.report import Report
from selfsent.evaluation.runs import Run
from selfsent.evaluation.score import Score
from selfsent.evaluation.statistics import STATISTICS


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
        [Run(name=f"<b>{seed}", report=report(f"<b>{seed}", seed), curve=curve) for seed in (1, 2)], num_resamples=50
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


def test_plots_without_data_are_left_out():
    bare = replace(report("a", 1), scores=report("a", 1).scores[:1])
    page = Page()
    page.feed(to_html(compare_runs([Run(name=name, report=bare) for name in "ab"], num_resamples=50)))
    assert page.tags.count("svg") == 2  # scores and scatter
