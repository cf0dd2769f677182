"""Draw the pictures of docs/pictures: ``python -m tools.pictures``. SVG in the colour of the text around it.

``python -m tools.pictures --curves RUNS`` first copies the measurements of a table of runs (the recipe
``learning-curves``) into results/.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
CURVES = ROOT / "results" / "learning-curves"
BLUE, ORANGE, GREEN = "#3f83c8", "#d17a22", "#3f9a5c"
_STYLE = "<style>svg{color:#1f2328}@media(prefers-color-scheme:dark){svg{color:#e6e6e6}}</style>"
_LINE = 16
"""Height of a line of text."""
_WORDS = ("the", "cat", "sees", "a", "red", "door")
_MERGES = ((4, 5), (0, 1), (2, 3), (8, 6), (7, 9))
"""Red door, the cat, sees a, sees a red door, all: ids of the children; leaves are 0 to 5."""
_NAMED_RUNS = {
    "sct": ("SCT, on pairs", BLUE),
    "simcse-pairs": ("SimCSE, on the same pairs", GREEN),
    "simcse-dropout": ("SimCSE, dropout alone", ORANGE),
}


def document(width: int, height: int, parts: Iterable[str]) -> str:
    """Give an SVG whose lines and texts have the colour of its surroundings."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">'
    return "\n".join([head, _STYLE, *parts, "</svg>\n"])


def text(x: float, y: float, words: str, *, size: int = 13, anchor: str = "middle", extra: str = "") -> str:
    """A line of text."""
    colour = "" if "fill=" in extra else ' fill="currentColor"'
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}"{colour} {extra}>{words}</text>'


def line(x1: float, y1: float, x2: float, y2: float, *, colour: str = "currentColor", extra: str = "") -> str:
    """A line."""
    return (
        f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{colour}" stroke-width="1.6" '
        f'stroke-linecap="round" {extra}/>'
    )


def box(x: float, y: float, width: float, height: float, *, colour: str, extra: str = "") -> str:
    """A rounded rectangle with a faint fill."""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="7" stroke="{colour}" stroke-width="1.4" '
        f'fill="{colour}" fill-opacity="0.12" {extra}/>'
    )


def arrow(x1: float, y1: float, x2: float, y2: float, *, colour: str = "currentColor") -> str:
    """A line with a head at its end; only straight up, down, left or right."""
    away = 6
    if x1 == x2:
        back = y2 - away if y2 > y1 else y2 + away
        head = f"{x2},{y2} {x2 - 4},{back} {x2 + 4},{back}"
    else:
        back = x2 - away if x2 > x1 else x2 + away
        head = f"{x2},{y2} {back},{y2 - 4} {back},{y2 + 4}"
    return line(x1, y1, x2, y2, colour=colour) + f'<polygon points="{head}" fill="{colour}"/>'


def tree() -> str:
    """What happens to a sentence in a tree model: up to one vector, down again, and what is compared."""
    left, right, bottom = 60.0, 480.0, 330.0
    up = _places(left, bottom)
    down = _places(right, bottom)
    parts = [
        text(left + 140, 26, "up: the two neighbours most alike are merged", size=14, extra='font-weight="bold"'),
        text(right + 140, 26, "down: every node is taken apart again", size=14, extra='font-weight="bold"'),
    ]
    parts += [*_tree_lines(up, BLUE), *_tree_lines(down, ORANGE)]
    parts += _tree_nodes(up, BLUE)
    parts += _tree_nodes(down, ORANGE)
    for number, (x, y) in enumerate(up[len(_WORDS) :], start=1):
        parts.append(text(x, y - 13, str(number), size=11))
    for places in (up, down):
        parts += [text(x, bottom + 24, word) for (x, _), word in zip(places, _WORDS, strict=False)]
    (root_x, root_y), (copy_x, _) = up[-1], down[-1]
    parts += [
        arrow(root_x + 14, root_y, copy_x - 14, root_y),
        text((root_x + copy_x) / 2, root_y - 26, "the root: one vector,", size=13),
        text((root_x + copy_x) / 2, root_y - 9, "the embedding of the sentence", size=13),
    ]
    (x1, y1), (x2, y2) = up[6], down[6]
    mid = (x1 + x2) / 2
    parts += [
        _dashed(f"M {x1 + 9:g} {y1:g} C {mid - 40:g} {y1 + 18:g} {mid + 20:g} {y2 + 18:g} {x2 - 9:g} {y2:g}", GREEN),
        text(410, 378, "The loss: each node on the way up must be most like itself on the way down,", size=13),
        text(410, 396, "among all nodes of all sentences of the batch. Here: “red door”, dashed.", size=13),
    ]
    return document(820, 410, parts)


def _dashed(path: str, colour: str) -> str:
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.8" stroke-dasharray="5 4"/>'


def _places(left: float, bottom: float) -> list[tuple[float, float]]:
    """Where the nodes of the tree stand, leaves first."""
    places = [(left + 56 * number, bottom) for number in range(len(_WORDS))]
    heights = [0] * len(_WORDS)
    for one, other in _MERGES:
        heights.append(1 + max(heights[one], heights[other]))
        places.append(((places[one][0] + places[other][0]) / 2, bottom - 72 * heights[-1]))
    return places


def _tree_lines(places: Sequence[tuple[float, float]], colour: str) -> list[str]:
    return [
        line(*places[child], *places[len(_WORDS) + number], colour=colour)
        for number, children in enumerate(_MERGES)
        for child in children
    ]


def _tree_nodes(places: Sequence[tuple[float, float]], colour: str) -> list[str]:
    return [f'<circle cx="{x:g}" cy="{y:g}" r="7" fill="{colour}"/>' for x, y in places]


def sct() -> str:
    """What SCT compares: how view 1 lies in the queue of view 2, with how view 2 itself lies there."""
    online = (0.30, 0.10, 0.22, 0.06, 0.20, 0.12)
    reference = (0.44, 0.05, 0.26, 0.03, 0.15, 0.07)
    parts = [
        box(20, 20, 330, 44, colour=BLUE),
        text(185, 47, "view 1: “We could not find the keys.”"),
        box(470, 20, 330, 44, colour=ORANGE),
        text(635, 47, "view 2: “The keys were not to be found.”"),
        arrow(185, 64, 185, 96, colour=BLUE),
        arrow(635, 64, 635, 96, colour=ORANGE),
        box(70, 96, 230, 40, colour=BLUE),
        text(185, 121, "encoder, then a head"),
        box(520, 96, 230, 40, colour=ORANGE),
        text(635, 121, "the same encoder, no head"),
        arrow(185, 136, 185, 168, colour=BLUE),
        arrow(635, 136, 635, 168, colour=ORANGE),
        text(185, 186, "online vector z1, with gradient"),
        text(635, 186, "reference r2, no gradient"),
        text(410, 222, "queue D2: view 2 of earlier sentences", extra='font-weight="bold"'),
    ]
    for place in range(6):
        x = 252 + 54 * place
        parts += [box(x, 234, 46, 26, colour="currentColor"), text(x + 23, 252, f"d{place + 1}", size=12)]
    parts += [
        arrow(185, 194, 185, 300, colour=BLUE),
        arrow(635, 194, 635, 300, colour=ORANGE),
        line(185, 247, 244, 247, colour=BLUE),
        line(576, 247, 635, 247, colour=ORANGE),
        *_bars(60, online, BLUE),
        *_bars(510, reference, ORANGE),
        text(185, 424, "how z1 lies among them"),
        text(635, 424, "how r2 lies among them"),
        arrow(470, 360, 350, 360),
        text(410, 344, "must become"),
        text(410, 384, "(KL divergence)"),
        text(410, 456, "And the reverse: z2 in the queue D1 of view 1 must lie as r1 lies there."),
    ]
    return document(820, 474, parts)


def _bars(left: float, shares: Sequence[float], colour: str) -> list[str]:
    parts = [line(left, 400, left + 250, 400)]
    for place, share in enumerate(shares):
        height = 200 * share
        parts.append(
            f'<rect x="{left + 8 + 40 * place:g}" y="{400 - height:g}" width="30" height="{height:g}" fill="{colour}"/>'
        )
    return parts


def curves() -> str:
    """STS-B dev along training, from results/learning-curves."""
    found = {name: _measured(CURVES / f"{name}.jsonl") for name in _NAMED_RUNS}
    last = max(step for points in found.values() for step, _ in points)
    values = [value for points in found.values() for _, value in points]
    low, high = 100 * min(values) - 0.3, 100 * max(values) + 0.3
    left, top, width, height = 60, 40, 560, 260

    def place(step: int, value: float) -> tuple[float, float]:
        return left + width * step / last, top + height * (high - 100 * value) / (high - low)

    parts = [
        text(left, 22, "STS-B dev, Spearman times 100", anchor="start", extra='font-weight="bold"'),
        line(left, top, left, top + height),
        line(left, top + height, left + width, top + height),
        text(left + width / 2, top + height + 38, "steps of 128 pairs"),
    ]
    for tick in range(int(low) + 1, int(high) + 1):
        y = top + height * (high - tick) / (high - low)
        parts += [
            line(left, y, left + width, y, extra='stroke-opacity="0.15"'),
            text(left - 8, y + 4, str(tick), size=12, anchor="end"),
        ]
    parts += [text(place(step, 0)[0], top + height + 18, str(step), size=12) for step in range(0, last + 1, 30)]
    ends: list[float] = []
    for name, points in found.items():
        label, colour = _NAMED_RUNS[name]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.4"/>')
        x, y = place(*points[-1])
        while any(abs(y - other) < _LINE for other in ends):
            y += 4
        ends.append(y)
        parts.append(text(x + 10, y + 4, label, anchor="start", extra=f'fill="{colour}"'))
    return document(820, 350, parts)


def _measured(path: Path) -> list[tuple[int, float]]:
    rows = [json.loads(row) for row in path.read_text("utf8").splitlines()]
    return [(row["step"], row["value"]) for row in rows]


def copy_curves(runs: Path) -> None:
    """Copy STS-B dev by step of each run into results/learning-curves."""
    CURVES.mkdir(parents=True, exist_ok=True)
    for name in _NAMED_RUNS:
        rows = [json.loads(row) for row in (runs / f"{name}-seed1" / "metrics.jsonl").read_text("utf8").splitlines()]
        key = next(key for row in rows for key in row if "spearman" in key)
        kept = [{"step": row["step"], "value": round(row[key], 6)} for row in rows if key in row]
        body = "".join(f"{json.dumps(row)}\n" for row in kept)
        (CURVES / f"{name}.jsonl").write_text(body, encoding="utf8")


def main(arguments: list[str]) -> int:
    """Draw all pictures."""
    if arguments[:1] == ["--curves"]:
        copy_curves(Path(arguments[1]))
    if not CURVES.is_dir():
        print("results/learning-curves is missing; run the recipe learning-curves first", file=sys.stderr)
        return 1
    for draw in (tree, sct, curves):
        (PICTURES / f"{draw.__name__}.svg").write_text(draw(), encoding="utf8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
