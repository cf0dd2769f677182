"""The looks that all plots of a comparison share."""

import numpy as np
import pytest
from tests.evaluation.evaluation_data import noisy_report

from selfsent.evaluation.comparison.compare import Comparison
from selfsent.evaluation.comparison.plot_style import add_legend, reach, shortened, styled
from selfsent.evaluation.comparison.runs import Run
from selfsent.evaluation.metrics import METRICS
from selfsent.evaluation.score import Score


def test_a_run_of_many_still_has_a_colour_and_a_marker():
    runs = [Run(name=str(number), report=noisy_report(str(number), 1)) for number in range(9)]
    looks = list(styled(Comparison(runs=runs, differences={})))
    assert [run.name for run, _, _ in looks] == [run.name for run in runs]
    assert len({colour for _, colour, _ in looks[:6]}) == 6


def test_error_bars_reach_from_the_value_to_both_ends_of_the_interval():
    score = Score(task="x", metric=METRICS["map"], value=0.5, ci95=(0.4, 0.75), num_items=3)
    np.testing.assert_allclose(reach(score, times=100), [10, 25])
    bare = Score(task="x", metric=METRICS["map"], value=0.5, ci95=None, num_items=3)
    np.testing.assert_array_equal(reach(bare), [0, 0])


@pytest.mark.parametrize(("width", "letters", "rows"), [(7.6, 10, 1), (7.6, 30, 2), (2.0, 60, 4)])
def test_a_legend_has_as_few_rows_as_the_figure_is_wide_enough_for(width: float, letters: int, rows: int):
    figure = pytest.importorskip("matplotlib.figure").Figure(figsize=(width, 3), layout="constrained")
    axes = figure.add_subplot()
    for number in range(4):
        axes.plot([number], [1], label=str(number) * letters)
    add_legend(figure, axes)
    (legend,) = figure.legends
    figure.draw_without_rendering()
    heights = {round(text.get_window_extent().y0) for text in legend.get_texts()}
    assert len(heights) == rows
    assert rows == 4 or legend.get_window_extent().width <= figure.bbox.width


def test_a_long_name_keeps_its_end():
    assert shortened("short") == "short"
    assert shortened("x" * 60 + "tail").endswith("tail")
    assert len(shortened("x" * 60)) == 40
