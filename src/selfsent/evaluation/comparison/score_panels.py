"""The plot of all scores: one panel a kind of task, so that each has the scale its values need."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from selfsent.evaluation.comparison.compare import Comparison
from selfsent.evaluation.comparison.plot_style import WIDTH, add_legend, label_of, reach, shortened, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_AROUND_PANEL = 2.4
"""Rows that the title and the axis of a panel take."""

_LEAST_ROW_INCHES, _RUN_INCHES = 0.15, 0.045
_SPREAD = 0.62
"""Share of a row over which its runs are spread."""


def draw_scores(figure: "Figure", comparison: Comparison) -> bool:
    """Draw values with their intervals, a row a task, for every fraction that at least two runs were scored on.

    Args:
        figure: What to draw on; its size is set.
        comparison: The comparison.

    Returns:
        Whether there is anything to draw.
    """
    kinds = kinds_of_tasks(comparison)
    if not kinds:
        return False
    columns = _balanced(kinds)
    num_rows = max(_num_rows(kinds, column) for column in columns)
    row_inches = _LEAST_ROW_INCHES + _RUN_INCHES * len(comparison.runs)
    figure.set_size_inches(WIDTH, 0.4 + num_rows * row_inches)
    panels: list[Axes] = []
    for part, column in zip(figure.subfigures(1, len(columns), squeeze=False)[0], columns, strict=True):
        heights = [len(kinds[kind]) + _AROUND_PANEL for kind in column]
        left = num_rows - sum(heights)
        drawn = part.subplots(len(heights) + (left > 0), 1, height_ratios=[*heights, *([left] if left > 0 else [])])
        for axes, kind in zip(np.atleast_1d(drawn), column, strict=False):
            _draw_panel(axes, comparison, kinds[kind])
            axes.set_title(kind, loc="left")
            panels.append(axes)
        for axes in np.atleast_1d(drawn)[len(heights) :]:
            axes.set_visible(False)
    add_legend(figure, *panels)
    return True


def kinds_of_tasks(comparison: Comparison) -> dict[str, list[str]]:
    """Group the tasks that can be drawn by the folder in their names, else by metric.

    Args:
        comparison: The comparison.

    Returns:
        Tasks by kind (``tatoeba``, ``spearman``), in the order of the reports; without those that one run alone was
        scored on, and without measures that are not fractions.
    """
    kinds: dict[str, list[str]] = {}
    for task, metric in comparison.tasks.items():
        if metric.unit == "fraction" and task not in comparison.unshared_tasks:
            folder, _, name = task.rpartition("/")
            kinds.setdefault(folder if name and folder else metric.name, []).append(task)
    return kinds


def _num_rows(kinds: Mapping[str, Sequence[str]], column: Sequence[str]) -> float:
    return sum(len(kinds[kind]) + _AROUND_PANEL for kind in column)


def _balanced(kinds: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Cut the kinds, in order, into two columns whose longer one is as short as can be."""
    names = list(kinds)
    cuts = [[part for part in (names[:cut], names[cut:]) if part] for cut in range(1, len(names) + 1)]
    return min(cuts, key=lambda columns: max(_num_rows(kinds, column) for column in columns))


def _draw_panel(axes: "Axes", comparison: Comparison, tasks: Sequence[str]) -> None:
    num_runs = len(comparison.runs)
    for number, (run, colour, marker) in enumerate(styled(comparison)):
        shift = _SPREAD * ((number + 0.5) / num_runs - 0.5)
        scores = [(row + shift, comparison.score(run, task)) for row, task in enumerate(tasks)]
        known = [(row, score) for row, score in scores if score is not None]
        axes.errorbar(
            [100 * score.value for _, score in known],
            [row for row, _ in known],
            xerr=np.reshape([reach(score, times=100) for _, score in known], (-1, 2)).T,
            fmt=marker,
            markersize=3.5,
            elinewidth=1.2,
            color=colour,
            label=label_of(run),
        )
    axes.set_yticks(range(len(tasks)), [shortened(task.rpartition("/")[2]) for task in tasks])
    axes.set_ylim(len(tasks) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
