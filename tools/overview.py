"""Models of every family with quality, minutes, size and speed, from results/: tables of a page, and its pictures.

``python -m tools.overview`` draws the pictures; the site puts the tables into the page. results/overview.toml names the
models.
"""

import json
import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools.pictures import BLUE, GREEN, ORANGE, PICTURES, ROOT, document, line, text

RESULTS = ROOT / "results"
STS7, DEV = "sts7", "sts_dev_spearman"
_MINUTE_S = 60
FAMILIES = {
    "trees": ("from raw text alone", GREEN),
    "text": ("small transformer, raw text", ORANGE),
    "pairs": ("small transformer, pairs", BLUE),
    "distillation": ("a teacher, its students", "#9a5fb5"),
}
"""What the families of the pictures are called, and their colours."""
_LINE, _MARK = 13.0, 8.0
"""How far a line of text stands below another, and above or below a mark."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """One line of the overview.

    Args:
        name: What it is, for people.
        family: Name of the table that it is in.
        source: A folder of results/ with a ``table.json``, or a report of ``evaluate``.
        row: Name of the run, where the source is a table.
        size_mib: Size of its weights.
        minutes: Minutes of training where the source does not say; 0 for a model that is not trained here.
        encoder: The entry of encoding-speed.json with its shape; empty where none was timed.
        mark: A short name for the pictures; empty to leave it out of them.
    """

    name: str
    family: str
    source: str
    row: str = ""
    size_mib: float
    minutes: float = 0.0
    encoder: str = ""
    mark: str = ""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What results/ says of a model.

    Args:
        model: The model.
        num_seeds: Number of runs.
        quality: Mean and standard deviation in points, by metric; only what was measured.
        minutes: Mean minutes of a whole run, with its looks at STS-B dev; 0 for a model that is not trained here.
        speed: Sentences a second that it encodes on one thread; 0 where that was not measured.
    """

    model: Model
    num_seeds: int
    quality: Mapping[str, tuple[float, float | None]]
    minutes: float
    speed: float


def models() -> list[Model]:
    """The models that results/overview.toml names."""
    return [Model(**entry) for entry in tomllib.loads((RESULTS / "overview.toml").read_text("utf8"))["model"]]


def speeds() -> Mapping[str, float]:
    """Sentences a second by the shape of a model, as ``python -m benchmarks.encoding_speed`` found them."""
    return json.loads((RESULTS / "encoding-speed.json").read_text("utf8"))["sentences_per_second"]


def measured(model: Model) -> Measured:
    """Look up what a model came to.

    Raises:
        KeyError: The table has no such run, or it is not finished; or no model of that shape was timed.
    """
    speed = speeds()[model.encoder] if model.encoder else 0.0
    if not model.row:
        report = json.loads((RESULTS / model.source).read_text("utf8"))
        quality = {STS7: (100 * report["averages"][STS7], None)}
        return Measured(model=model, num_seeds=1, quality=quality, minutes=model.minutes, speed=speed)
    rows = json.loads((RESULTS / model.source / "table.json").read_text("utf8"))["rows"]
    figures: Mapping[str, Any] = next((row["figures"] for row in rows if row["name"] == model.row), {})
    if not figures:
        raise KeyError(f"results/{model.source} has no finished run {model.row}")
    quality = {
        name: (100 * figures[name]["mean"], None if figures[name]["sd"] is None else 100 * figures[name]["sd"])
        for name in (DEV, STS7)
        if name in figures
    }
    seconds = figures["seconds"]
    minutes = seconds["mean"] / _MINUTE_S
    return Measured(model=model, num_seeds=seconds["n"], quality=quality, minutes=minutes, speed=speed)


def table_of(family: str) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of a family, as cells of Markdown.

    Raises:
        KeyError: There is no such family.
    """
    found = [measured(model) for model in models() if model.family == family]
    if not found:
        raise KeyError(f"no family {family}")
    metrics = [name for name in (DEV, STS7) if any(name in one.quality for one in found)]
    headings = [
        "model",
        "seeds",
        *({DEV: "STS-B dev", STS7: "sts7"}[name] for name in metrics),
        "minutes",
        "MiB",
        "sentences/s",
        "from",
    ]
    rows = [
        [
            one.model.name,
            str(one.num_seeds),
            *(_points(one.quality.get(name)) for name in metrics),
            f"{one.minutes:.1f}" if one.minutes else "",
            f"{one.model.size_mib:g}",
            _rounded(one.speed) if one.speed else "",
            f"`{one.model.source}`",
        ]
        for one in found
    ]
    return headings, rows


def _points(figure: tuple[float, float | None] | None) -> str:
    if figure is None:
        return ""
    mean, spread = figure
    return f"{mean:.2f}" if spread is None else f"{mean:.2f} ± {spread:.2f}"


def _rounded(number: float) -> str:
    """Two significant digits, as a busy machine allows."""
    places = max(0, math.floor(math.log10(number)) - 1)
    return f"{round(number, -places):,.0f}"


def quality_by_minutes() -> str:
    """The seven STS tasks against minutes of training."""
    return _scatter("minutes of training on one thread", lambda one: one.minutes, (0.5, 1, 2, 5, 10, 20))


def quality_by_size() -> str:
    """The seven STS tasks against the size of the weights."""
    return _scatter("MiB of weights", lambda one: one.model.size_mib, (10, 20, 50, 100))


def quality_by_speed() -> str:
    """The seven STS tasks against sentences a second."""
    return _scatter("sentences a second on one thread", lambda one: one.speed, (100, 300, 1000, 3000, 10000, 30000))


def _scatter(label: str, position: Callable[[Measured], float], ticks: Sequence[float]) -> str:
    """Marks on a logarithmic axis, named beside them; a name moves down until it hides nothing."""
    found = [measured(model) for model in models() if model.mark]
    found = [one for one in found if STS7 in one.quality and position(one)]
    left, top, width, height, low, high = 60, 60, 560, 340, 25, 85
    shown = [*ticks, *map(position, found)]
    start, end = math.log(min(shown) * 0.7), math.log(max(shown) * 1.3)

    def place(value: float, points: float) -> tuple[float, float]:
        along = (math.log(value) - start) / (end - start)
        return left + width * along, top + height * (high - points) / (high - low)

    parts = [
        text(left, 22, "mean of seven STS tasks, Spearman times 100", anchor="start", extra='font-weight="bold"'),
        line(left, top, left, top + height),
        line(left, top + height, left + width, top + height),
        text(left + width / 2, top + height + 40, label),
    ]
    for tick in range(low + 5, high, 10):
        y = place(1, tick)[1]
        parts += [
            line(left, y, left + width, y, extra='stroke-opacity="0.15"'),
            text(left - 8, y + 4, str(tick), size=12, anchor="end"),
        ]
    parts += [text(place(tick, 0)[0], top + height + 18, f"{tick:,}", size=12) for tick in ticks]
    found = sorted(found, key=lambda one: -one.quality[STS7][0])
    dots = [place(position(one), one.quality[STS7][0]) for one in found]
    taken = [(x - 6, x + 6, y + 4, _MARK) for x, y in dots]
    for one, (x, y) in zip(found, dots, strict=True):
        colour = FAMILIES[one.model.family][1]
        beside = _free_place(x + 9, y + 4, 6.6 * len(one.model.mark), taken)
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}"/>')
        parts.append(text(x + 9, beside, one.model.mark, size=12, anchor="start", extra=f'fill="{colour}"'))
    for number, (name, colour) in enumerate(FAMILIES.values()):
        x = left + 190 * number
        parts += [
            f'<circle cx="{x}" cy="40" r="4.5" fill="{colour}"/>',
            text(x + 10, 44, name, size=12, anchor="start"),
        ]
    return document(820, 460, parts)


def _free_place(x: float, y: float, width: float, taken: list[tuple[float, float, float, float]]) -> float:
    """The nearest line of text at or below ``y`` that hides no mark and no other line, which it then takes."""
    while any(abs(y - other) < apart and x < end and begin < x + width for begin, end, other, apart in taken):
        y += 2
    taken.append((x, x + width, y, _LINE))
    return y


def main() -> int:
    """Draw the pictures."""
    drawings = {"minutes": quality_by_minutes, "size": quality_by_size, "speed": quality_by_speed}
    for name, draw in drawings.items():
        (PICTURES / f"results-{name}.svg").write_text(draw(), encoding="utf8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
