"""The curve has an axis that its values are read from."""

import re
from typing import Any

import pytest

from selfsent.document_report.learning_curve import learning_curve_section


def test_the_sentence_names_first_last_and_best(report: dict[str, Any]):
    section = learning_curve_section(report)
    assert "from 46.0 at step 20 to 60.0 at step 60; best 61.0 at step 40." in section


def test_a_point_stands_where_the_axes_say(report: dict[str, Any]):
    section = learning_curve_section(report)
    ticks = {
        float(label): float(y) - 4 for y, label in re.findall(r"y='([\d.]+)' text-anchor='end'>([\d.]+)<", section)
    }
    heights = [float(y) for y in re.findall(r"<circle cx='[\d.]+' cy='([\d.]+)'", section)]
    (low, y_low), (high, y_high) = min(ticks.items()), max(ticks.items())
    values = [low + (high - low) * (y - y_low) / (y_high - y_low) for y in heights]
    assert values == pytest.approx([46, 61, 60], abs=0.1)
    assert low <= 46
    assert high >= 61


def test_points_stand_in_the_order_of_steps(report: dict[str, Any]):
    assert learning_curve_section({"curve": report["curve"][::-1]}) == learning_curve_section(report)


def test_without_seconds_the_axis_counts_steps(report: dict[str, Any]):
    assert ">seconds of learning<" in learning_curve_section(report)
    del report["curve"][1]["seconds"]
    assert ">step</text>" in learning_curve_section(report)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_flat_curve_is_drawn(value: float):
    points = [{"step": step, "own_documents": value} for step in (0, 10)]
    assert learning_curve_section({"curve": points}).count("<circle") == 2


def test_one_point_is_no_curve(report: dict[str, Any]):
    assert learning_curve_section({"curve": report["curve"][:1]}) == ""
