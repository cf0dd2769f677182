"""The plots of a comparison, as SVG that takes the colours of text and rules from the page it stands in."""

import io
import re
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from selfsent.errors import UserError
from selfsent.evaluation.compare import Comparison
from selfsent.evaluation.report import AS_IS
from selfsent.evaluation.score import Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#3b82c4", "#d9822b", "#2a9d74", "#b8578f", "#7a6bd1", "#8c7a4f")
"""Of the runs in order: legible on white and on near-black, and told apart without seeing red or green."""

_MARKERS = "osD^vP"
_INK, _RULE = "#717273", "#c1c2c3"
_MAX_SCATTERED = 1500
_FEW_POINTS = 20
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "path",
    "font.size": 9.5,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _RULE,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _RULE,
    "grid.linewidth": 0.5,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
}


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
        "Scores": _scores,
        "Training": _curves,
        "Similarity and gold score": _scatter,
        "Alignment and uniformity": _plane,
    }
    drawn: dict[str, str] = {}
    for heading, plot in plots.items():
        with mpl.rc_context({**_STYLE, "svg.hashsalt": heading}):
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
    return svg.replace(_INK, "currentColor").replace(_RULE, "var(--rule)")


def _scores(figure: "Figure", comparison: Comparison) -> bool:
    """Dots with intervals, a row a task, for all metrics that are fractions."""
    tasks = [task for task, metric in comparison.tasks.items() if metric not in AS_IS]
    num_runs = len(comparison.runs)
    figure.set_size_inches(7.6, 0.9 + len(tasks) * max(0.3, 0.13 * num_runs + 0.12))
    axes = figure.add_subplot()
    for number, (run, colour, marker) in enumerate(zip(comparison.runs, cycle(COLOURS), cycle(_MARKERS), strict=False)):
        shift = 0.6 * ((number + 0.5) / num_runs - 0.5)
        scores = [(row + shift, comparison.score(run, task)) for row, task in enumerate(tasks)]
        known = [(row, score) for row, score in scores if score is not None]
        axes.errorbar(
            [100 * score.value for _, score in known],
            [row for row, _ in known],
            xerr=np.array([_reach(score) for _, score in known]).reshape(-1, 2).T,
            fmt=marker,
            markersize=4,
            elinewidth=1.3,
            color=colour,
            label=run.name,
        )
    axes.set_yticks(range(len(tasks)), tasks)
    axes.set_ylim(len(tasks) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("value and 95% interval, x100")
    _legend(figure, axes)
    return bool(tasks)


def _reach(score: Score) -> tuple[float, float]:
    low, high = score.ci95 or (score.value, score.value)
    return max(0.0, 100 * (score.value - low)), max(0.0, 100 * (high - score.value))


def _curves(figure: "Figure", comparison: Comparison) -> bool:
    """The loss, and each measure on held-out data, against the step; one panel a measure."""
    names = dict.fromkeys(name for run in comparison.runs for row in run.curve for name in row)
    measures = [name for name in names if name == "loss" or name.startswith("eval_")][:6]
    if not measures:
        return False
    num_columns = min(2, len(measures))
    num_rows = -(-len(measures) // num_columns)
    figure.set_size_inches(7.6, 0.5 + 2.5 * num_rows)
    panels = np.atleast_1d(figure.subplots(num_rows, num_columns)).ravel()
    for axes, name in zip(panels, measures, strict=False):
        for run, colour in zip(comparison.runs, cycle(COLOURS), strict=False):
            steps, values = _series(run.curve, name)
            if steps:
                axes.plot(
                    steps,
                    values,
                    color=colour,
                    linewidth=1.4,
                    label=run.name,
                    marker="." if len(steps) < _FEW_POINTS else "",
                )
        axes.set_title(name.removeprefix("eval_").replace("_", " "), loc="left")
        axes.set_xlabel("step")
    for axes in panels[len(measures) :]:
        axes.set_visible(False)
    _legend(figure, *panels[: len(measures)])
    return True


def _series(curve: Sequence[Mapping[str, Any]], name: str) -> tuple[list[float], list[float]]:
    points = [(row["step"], row[name]) for row in curve if isinstance(row.get(name), int | float) and "step" in row]
    return [step for step, _ in points], [value for _, value in points]


def _scatter(figure: "Figure", comparison: Comparison) -> bool:
    """Similarity against gold score, a panel a run, on STS-B or the first task that has gold scores."""
    gold_tasks = [task for task, metric in comparison.tasks.items() if metric == "spearman"]
    task = next((task for task in gold_tasks if task == "STSBenchmark"), next(iter(gold_tasks), ""))
    scored = [(run, comparison.score(run, task)) for run in comparison.runs]
    known = [(run, score.items) for run, score in scored if score is not None and score.items is not None]
    if not known:
        return False
    num_columns = min(3, len(known))
    num_rows = -(-len(known) // num_columns)
    figure.set_size_inches(7.6, 0.3 + 2.6 * num_rows)
    panels = np.atleast_1d(figure.subplots(num_rows, num_columns, sharex=True, sharey=True)).ravel()
    colour_of = dict(zip((run.name for run in comparison.runs), cycle(COLOURS), strict=False))
    for axes, (run, items) in zip(panels, known, strict=False):
        chosen = np.random.default_rng(0).permutation(len(items))[:_MAX_SCATTERED]
        axes.scatter(
            items[chosen, 1],
            items[chosen, 0],
            s=5,
            alpha=0.35,
            linewidths=0,
            color=colour_of[run.name],
            rasterized=True,
        )
        axes.set_title(_cut(run.name), loc="left")
    for axes in panels[len(known) :]:
        axes.set_visible(False)
    figure.supxlabel(f"gold score, {task}", fontsize=9.5)
    figure.supylabel("similarity", fontsize=9.5)
    return True


def _plane(figure: "Figure", comparison: Comparison) -> bool:
    """Alignment against uniformity; both are better towards the lower left."""
    scored = [
        (run, comparison.score(run, "geometry/uniformity"), comparison.score(run, "geometry/alignment"), style)
        for run, style in zip(comparison.runs, zip(cycle(COLOURS), cycle(_MARKERS), strict=False), strict=False)
    ]
    known = [(run, one, other, style) for run, one, other, style in scored if one is not None and other is not None]
    figure.set_size_inches(5.2, 3.6)
    axes = figure.add_subplot()
    for run, uniform, align, (colour, marker) in known:
        axes.errorbar(
            [uniform.value],
            [align.value],
            xerr=np.array([_reach(uniform)]).T / 100,
            yerr=np.array([_reach(align)]).T / 100,
            fmt=marker,
            markersize=6,
            elinewidth=1.1,
            color=colour,
            label=run.name,
        )
    axes.margins(0.15)
    axes.set_xlabel("uniformity (lower spreads more)")
    axes.set_ylabel("alignment (lower is closer)")
    _legend(figure, axes)
    return bool(known)


def _legend(figure: "Figure", *panels: "Axes") -> None:
    """One legend above the plot, outside of it, each run once."""
    handles = {
        label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    labels = [_cut(label) for label in handles]
    num_columns = 3 if max(map(len, labels), default=0) <= 22 else 2  # noqa: PLR2004 what fits side by side
    figure.legend(handles.values(), labels, loc="outside upper left", ncols=num_columns, columnspacing=1.5)


def _cut(name: str, *, width: int = 40) -> str:
    return name if len(name) <= width else f"…{name[1 - width :]}"
