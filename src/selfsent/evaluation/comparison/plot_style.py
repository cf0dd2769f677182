"""How the plots of a comparison look: a colour and a marker a run, and colours that the page replaces by its own."""

from collections.abc import Iterator
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from selfsent.evaluation.comparison.compare import Comparison
from selfsent.evaluation.comparison.runs import Run
from selfsent.evaluation.score import Score
from selfsent.printed_text import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#3b82c4", "#d9822b", "#2a9d74", "#b8578f", "#7a6bd1", "#8c7a4f")
"""Of the runs in order: legible on white and on near-black, and told apart without seeing red or green."""

MARKERS = "osD^vP"
INK, RULE = "#717273", "#c1c2c3"
"""Stand-ins for the page's colours of text and of rules."""

FONT_SIZE = 9.5
WIDTH = 7.6
"""Of a figure as wide as the page, in inches."""

STYLE: dict[Any, Any] = {
    "svg.fonttype": "path",
    "text.parse_math": False,
    "font.size": FONT_SIZE,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": RULE,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.5,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
}

_LONGEST_NAME = 40


def styled(comparison: Comparison) -> Iterator[tuple[Run, str, str]]:
    """Give every run with its colour and marker, the same ones in every plot."""
    return zip(comparison.runs, cycle(COLOURS), cycle(MARKERS), strict=False)


def reach(score: Score, *, times: float = 1.0) -> NDArray[np.float64]:
    """Give how far the interval of a score goes below and above its value, as error bars want it.

    Args:
        score: The score; one without an interval reaches nowhere.
        times: What values are multiplied with.
    """
    low, high = score.ci95 or (score.value, score.value)
    return times * np.maximum(0.0, [score.value - low, high - score.value])


def add_legend(figure: "Figure", *panels: "Axes") -> None:
    """Put one legend above all panels, each run once, as many side by side as the figure is wide enough for."""
    handles = {
        label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    labels = [shortened(label) for label in handles]
    for num_columns in range(len(labels), 0, -1):
        legend = figure.legend(handles.values(), labels, loc="outside upper left", ncols=num_columns, columnspacing=1.5)
        if num_columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            return
        legend.remove()


def label_of(run: Run) -> str:
    """Give the label of a run in a legend; matplotlib leaves out labels that begin with an underscore."""
    return f" {run.name}"


def shortened(name: str) -> str:
    """Shorten a name for a plot; its end is kept, which tells runs apart better than its start."""
    name = visible(name)
    return name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME :]}"
