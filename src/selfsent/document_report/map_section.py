"""The part of the page that shows the corpus as a map: points, a legend that filters, a search box."""

import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from selfsent.document_report.corpus_map import MAX_TEXT
from selfsent.document_report.figures import number
from selfsent.document_report.plain_text import counted, entries, in_page, mapping, one_line

_WIDTH, _HEIGHT, _MARGIN = 1000, 640, 24
_NUM_COLOURS = 12
_MAX_NAME = 120
_MAX_BYTES = 1_300_000
"""Of titles, documents and texts; where there are more bytes, they are cut shorter."""
_CUT_BY = 20

_HELP = (
    "Point at a passage, or tap it, to read how it begins. With the keyboard: the arrow keys go from point to point, "
    "Escape lets go. Press a group to see it alone, and others to add them."
)


def map_section(report: Mapping[str, Any]) -> str:
    """Draw the map; its points are there without a script, what one can do with them needs it."""
    found = mapping(report.get("map"))
    points = _placed(found)
    if not points:
        return ""
    groups = entries(found.get("groups"))
    all_passages = number(found.get("passages")) or number(mapping(report.get("documents")).get("passages"))
    drawn = all_passages is not None and all_passages > len(points)
    shown = (
        f"{len(points):,} of {all_passages:,.0f} passages, drawn at random"
        if drawn
        else counted(len(points), "passage")
    )
    return (
        f"<h2>Map of the corpus</h2>\n<p>{shown}. Passages that are alike stand near each other; how far "
        "distant groups are from each other means little. A group has the name of the words that set it apart.</p>\n"
        f"{_CONTROLS}<div class='map' id='map' tabindex='0' role='application' aria-label='Map of the corpus' "
        f"aria-describedby='map-help'>{_svg(points, groups)}<div id='tip' role='status' hidden></div></div>\n"
        f"{_legend(groups)}<p id='map-help' class='scripted'>{_HELP}</p>\n"
        f"<noscript><p>To read the points the page needs scripts.</p></noscript>\n"
        f"<script type='application/json' id='map-data'>{_texts(points)}</script>\n"
    )


_CONTROLS = (
    "<div class='controls scripted'><label>Find <input type='search' id='find' autocomplete='off' "
    "placeholder='words on the map'></label><output id='found' for='find'></output>"
    "<span class='zoom'><button type='button' id='closer' aria-label='zoom in'>+</button>"
    "<button type='button' id='wider' aria-label='zoom out'>&minus;</button>"
    "<button type='button' id='whole'>whole map</button></span></div>\n"
)


def _placed(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Give the points that have a place, moved and scaled so that they fill the picture."""
    points = [one for one in entries(found.get("points")) if None not in {number(one.get("x")), number(one.get("y"))}]
    xs, ys = _filled([one["x"] for one in points], _WIDTH), _filled([one["y"] for one in points], _HEIGHT)
    return [{**one, "x": x, "y": y} for one, x, y in zip(points, xs, ys, strict=True)]


def _filled(values: Sequence[float], size: int) -> list[float]:
    low, high = min(values, default=0.0), max(values, default=0.0)
    if low == high:
        return [size / 2] * len(values)
    return [_MARGIN + (size - 2 * _MARGIN) * (value - low) / (high - low) for value in values]


def _group(point: Mapping[str, Any]) -> int:
    return int(number(point.get("group")) or 0)


def _colour(group: int) -> str:
    return f"g{group % _NUM_COLOURS}"


def _svg(points: Sequence[Mapping[str, Any]], groups: Sequence[Mapping[str, Any]]) -> str:
    circles = "".join(
        f"<circle class='{_colour(_group(one))}' data-g='{_group(one)}' cx='{one['x']:.1f}' cy='{one['y']:.1f}'/>"
        for one in points
    )
    badges = "".join(_badge(number_, points) for number_ in range(len(groups)))
    return (
        f"<svg viewBox='0 0 {_WIDTH} {_HEIGHT}' aria-hidden='true'><g id='points'>{circles}</g>"
        f"<g id='badges'>{badges}</g><circle id='ring' cx='0' cy='0' visibility='hidden'/></svg>"
    )


def _badge(group: int, points: Sequence[Mapping[str, Any]]) -> str:
    """Put a group's number on the point nearest to its middle, so that colours need not be told apart."""
    places = [(one["x"], one["y"]) for one in points if _group(one) == group]
    if not places:
        return ""
    middle = [statistics.median(axis) for axis in zip(*places, strict=True)]
    x, y = min(places, key=lambda place: (place[0] - middle[0]) ** 2 + (place[1] - middle[1]) ** 2)
    return (
        f"<g class='{_colour(group)}' data-g='{group}' transform='translate({x:.1f} {y:.1f})'>"
        f"<circle/><text>{group + 1}</text></g>"
    )


def _legend(groups: Sequence[Mapping[str, Any]]) -> str:
    items = "".join(
        f"<li><button type='button' class='{_colour(group)}' data-g='{group}' aria-pressed='false'>"
        f"<span class='dot'>{group + 1}</span> {in_page(one.get('name') or f'group {group + 1}', limit=_MAX_NAME)} "
        f"<small>{number(one.get('size')) or 0:,.0f}</small></button></li>"
        for group, one in enumerate(groups)
    )
    return f"<ul class='legend' aria-label='Groups'>{items}</ul>\n" if items else ""


def _texts(points: Sequence[Mapping[str, Any]]) -> str:
    """Give title, document and text of each point as JSON that cannot end the script element it stands in."""
    written = ""
    for limit in range(MAX_TEXT, 0, -_CUT_BY):
        rows = [
            [
                one_line(one.get("title"), limit=min(_MAX_NAME, limit)),
                one_line(one.get("document"), limit=min(_MAX_NAME, limit)),
                _beginning(one.get("text"), limit),
            ]
            for one in points
        ]
        written = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
        for character in "<>&\u2028\u2029":
            written = written.replace(character, f"\\u{ord(character):04x}")
        if len(written.encode()) <= _MAX_BYTES:
            break
    return written


def _beginning(text: object, limit: int) -> str:
    """Give the first characters of a text; an ellipsis says that there is more, or may be."""
    shown = one_line(text)
    return shown if len(shown) < limit and len(str(text or "")) < MAX_TEXT else f"{shown[: limit - 1].rstrip()}…"
