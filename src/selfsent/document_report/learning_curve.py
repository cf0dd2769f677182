"""The learning curve as an SVG: quality on held-out documents while the model learns."""

import math
from collections.abc import Mapping
from typing import Any

from selfsent.document_report.figures import number, times_100
from selfsent.document_report.plain_text import entries

_WIDTH, _HEIGHT = 560, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 18, 18, 52
_NUM_TICKS = 5
_FEWEST = 2


def learning_curve_section(report: Mapping[str, Any]) -> str:
    """Draw the curve with its axes, and give its numbers as a table too; empty below two points."""
    points = _points(report)
    if len(points) < _FEWEST:
        return ""
    by_time = all(seconds is not None for _, seconds, _ in points)
    x_of = [seconds if by_time and seconds is not None else step for step, seconds, _ in points]
    values = [100 * value for _, _, value in points]
    first, last, best = points[0], points[-1], max(points, key=lambda point: point[2])
    said = (
        f"Quality on held-out documents while learning: from {times_100(first[2])} at step {first[0]:,.0f} to "
        f"{times_100(last[2])} at step {last[0]:,.0f}; best {times_100(best[2])} at step {best[0]:,.0f}."
    )
    svg = _svg(x_of, values, label="seconds of learning" if by_time else "step", said=said)
    return f"<h2>Learning curve</h2>\n<p>{said}</p>\n{svg}\n{_as_table(points)}"


def _points(report: Mapping[str, Any]) -> list[tuple[float, float | None, float]]:
    found: list[tuple[float, float | None, float]] = []
    for one in entries(report.get("curve")):
        step, value = number(one.get("step")), number(one.get("own_documents"))
        if step is not None and step >= 0 and value is not None:
            found.append((step, number(one.get("seconds")), value))
    return sorted(found, key=lambda point: point[0])


def _svg(x_of: list[float], values: list[float], *, label: str, said: str) -> str:
    x_end, y_ticks = max(x_of) or 1.0, _ticks(min(values), max(values))
    places = [(_x(x, x_end), _y(value, y_ticks)) for x, value in zip(x_of, values, strict=True)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3'/>" for x, y in places)
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    return (
        f"<svg class='curve' viewBox='0 0 {_WIDTH} {_HEIGHT}' role='img' aria-label='{said}'>"
        + "".join(_y_tick(tick, y_ticks, right) for tick in y_ticks)
        + "".join(_x_tick(tick, x_end, bottom) for tick in _ticks(0.0, x_end) if tick <= x_end)
        + f"<text x='{(_LEFT + right) / 2:.0f}' y='{_HEIGHT - 8}' text-anchor='middle'>{label}</text>"
        f"<text transform='translate(14 {(_TOP + bottom) / 2:.0f}) rotate(-90)' text-anchor='middle'>"
        f"quality, times 100</text><polyline points='{line}'/>{dots}</svg>"
    )


def _ticks(low: float, high: float) -> list[float]:
    """Give round numbers, the first at or below ``low``, the last at or above ``high``."""
    span = (high - low) or abs(high) or 1.0
    size = 10 ** math.floor(math.log10(span / _NUM_TICKS))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor * _NUM_TICKS >= span)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def _x(value: float, end: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * value / end


def _y(value: float, ticks: list[float]) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (value - ticks[0]) / (ticks[-1] - ticks[0])


def _y_tick(tick: float, ticks: list[float], right: int) -> str:
    y = _y(tick, ticks)
    return (
        f"<path class='rule' d='M{_LEFT} {y:.1f}H{right}'/>"
        f"<text x='{_LEFT - 8}' y='{y + 4:.1f}' text-anchor='end'>{tick:.6g}</text>"
    )


def _x_tick(tick: float, end: float, bottom: int) -> str:
    return f"<text x='{_x(tick, end):.1f}' y='{bottom + 20}' text-anchor='middle'>{tick:,.6g}</text>"


def _as_table(points: list[tuple[float, float | None, float]]) -> str:
    rows = "".join(
        f"<tr><td>{step:,.0f}</td><td>{'-' if seconds is None else f'{seconds:.1f}'}</td>"
        f"<td>{times_100(value)}</td></tr>"
        for step, seconds, value in points
    )
    head = "<tr><th scope='col'>step</th><th scope='col'>seconds</th><th scope='col'>quality, times 100</th></tr>"
    return (
        "<details><summary>The same as numbers</summary>"
        f"<table class='numbers'><thead>{head}</thead><tbody>{rows}</tbody></table></details>"
    )
