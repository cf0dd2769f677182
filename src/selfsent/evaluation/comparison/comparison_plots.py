"""The plots of a comparison, as SVG that takes the colours of text and rules from the page it stands in."""

import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from selfsent.errors import UserError
from selfsent.evaluation.comparison.compare import Comparison
from selfsent.evaluation.comparison.plot_style import (
    FONT_SIZE,
    INK,
    RULE,
    STYLE,
    WIDTH,
    add_legend,
    label_of,
    reach,
    shortened,
    styled,
)
from selfsent.evaluation.comparison.score_panels import draw_scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_SCATTERED = 1500
_FEW_POINTS = 20


def draw(comparison: Comparison) -> dict[str, str]:
    """Draw every plot that the runs have data for.

    Args:
        comparison: The comparison.

    Returns:
        SVG by heading.

    Raises:
        UserError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415 an optional extra
        from matplotlib.figure import Figure  # noqa: PLC0415 an optional extra
    except ImportError as error:
        raise UserError("plots need matplotlib, which is not installed; pip install 'selfsent[plots]'") from error
    plots = {
        "Scores": draw_scores,
        "Training": _curves,
        "Similarity and gold score": _scatter,
        "Alignment and uniformity": _plane,
    }
    drawn: dict[str, str] = {}
    for heading, plot in plots.items():
        with mpl.rc_context({**STYLE, "svg.hashsalt": heading}):
            figure = Figure(layout="constrained")
            if plot(figure, comparison):
                drawn[heading] = _svg(figure)
    return drawn


def _svg(figure: "Figure") -> str:
    """Write a figure as inline SVG with the page's own colours."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    svg = buffer.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(
        r'<svg[^>]*?(viewBox="[^"]*")[^>]*>',
        r'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" \1>',
        svg,
        count=1,
    )
    return svg.replace(INK, "currentColor").replace(RULE, "var(--rule)")


def _curves(figure: "Figure", comparison: Comparison) -> bool:
    """The loss, and each measure on held-out data, against the step; one panel a measure."""
    names = dict.fromkeys(name for run in comparison.runs for row in run.curve for name in row)
    measures = [name for name in names if name == "loss" or name.startswith("eval_")][:6]
    if not measures:
        return False
    num_rows, num_columns = _grid(len(measures), most_columns=3)
    figure.set_size_inches(WIDTH, 0.5 + 2.3 * num_rows)
    panels = np.atleast_1d(figure.subplots(num_rows, num_columns)).ravel()
    for axes, name in zip(panels, measures, strict=False):
        for run, colour, _ in styled(comparison):
            steps, values = _series(run.curve, name)
            if steps:
                axes.plot(
                    steps,
                    values,
                    color=colour,
                    linewidth=1.4,
                    label=label_of(run),
                    marker="." if len(steps) < _FEW_POINTS else "",
                )
        axes.set_title(name.removeprefix("eval_").replace("_", " "), loc="left")
        axes.set_xlabel("step")
        axes.locator_params(axis="x", nbins=4)
    for axes in panels[len(measures) :]:
        axes.set_visible(False)
    add_legend(figure, *panels[: len(measures)])
    return True


def _grid(num_panels: int, *, most_columns: int) -> tuple[int, int]:
    """Give the rows and columns that hold all panels with as few rows, and as few empty places, as can be."""
    num_rows = -(-num_panels // most_columns)
    return num_rows, -(-num_panels // num_rows)


def _series(curve: Sequence[Mapping[str, Any]], name: str) -> tuple[list[float], list[float]]:
    points = [(row["step"], row[name]) for row in curve if isinstance(row.get(name), int | float) and "step" in row]
    return [step for step, _ in points], [value for _, value in points]


def _scatter(figure: "Figure", comparison: Comparison) -> bool:
    """Similarity against gold score, a panel a run, on STS-B or the first task that has gold scores."""
    gold_tasks = [task for task, metric in comparison.tasks.items() if metric.name == "spearman"]
    task = next((task for task in gold_tasks if task == "STSBenchmark"), next(iter(gold_tasks), ""))
    scored = [(run, comparison.score(run, task)) for run in comparison.runs]
    known = [(run, score.items) for run, score in scored if score is not None and score.items is not None]
    if not known:
        return False
    num_rows, num_columns = _grid(len(known), most_columns=4)
    figure.set_size_inches(WIDTH, 0.3 + 2.3 * num_rows)
    panels = np.atleast_1d(figure.subplots(num_rows, num_columns, sharex=True, sharey=True)).ravel()
    colour_of = {run.name: colour for run, colour, _ in styled(comparison)}
    for axes, (run, items) in zip(panels, known, strict=False):
        row = np.random.default_rng(0).permutation(len(items))[:_MAX_SCATTERED]
        dots = axes.scatter(items[row, 1], items[row, 0], s=5, alpha=0.35, linewidths=0, color=colour_of[run.name])
        dots.set_rasterized(True)  # a thousand vector dots a panel would make the page megabytes
        axes.set_title(shortened(run.name), loc="left", fontsize=FONT_SIZE)
    for axes in panels[len(known) - num_columns : len(known)]:
        axes.tick_params(labelbottom=True)  # a hidden panel below does not show them
    for axes in panels[len(known) :]:
        axes.set_visible(False)
    figure.supxlabel(f"gold score, {task}", fontsize=FONT_SIZE)
    figure.supylabel("similarity", fontsize=FONT_SIZE)
    return True


def _plane(figure: "Figure", comparison: Comparison) -> bool:
    """Alignment against uniformity; both are better towards the lower left."""
    figure.set_size_inches(5.2, 3.6)
    axes = figure.add_subplot()
    for run, colour, marker in styled(comparison):
        uniform, align = (comparison.score(run, f"geometry/{name}") for name in ("uniformity", "alignment"))
        if uniform is None or align is None:
            continue
        axes.errorbar(
            [uniform.value],
            [align.value],
            xerr=reach(uniform)[:, None],
            yerr=reach(align)[:, None],
            fmt=marker,
            markersize=6,
            elinewidth=1.1,
            color=colour,
            label=label_of(run),
        )
    axes.margins(0.15)
    axes.set_xlabel("uniformity (lower spreads more)")
    axes.set_ylabel("alignment (lower is closer)")
    add_legend(figure, axes)
    return bool(axes.containers)
