"""The page holds what the report says, stands alone, and takes nothing of it for code."""

import base64
import hashlib
import json
import re
from copy import deepcopy
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from selfsent.document_report import write_page
from selfsent.document_report.page import duration, to_html

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;<!--\x00\x1b[31m\u202e\ud800\u2028x"
OUR_TAGS = {
    *("html", "head", "meta", "title", "style", "body", "main", "script", "noscript"),
    *("h1", "h2", "h3", "h4", "p", "div", "span", "bdi", "b", "small", "ul", "ol", "li", "dl", "dt", "dd", "article"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "details", "summary", "pre", "code"),
    *("label", "input", "output", "button", "svg", "g", "circle", "path", "text", "polyline"),
}


class Parsed(HTMLParser):
    """What a browser would see: elements, attributes, text, and scripts by type."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.scripts: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] == ["script"] and len(self.scripts) < self.tags.count("script"):
            self.scripts.append(data)
        elif self.tags[-1:] != ["style"]:
            self.text += data

    @property
    def headings(self) -> list[str]:
        return [tag for tag in self.tags if tag in {"h1", "h2"}]


def headings(page: str) -> list[str]:
    return re.findall("<h2>(.*?)</h2>", page)


def test_the_sections_stand_in_their_order(report: dict[str, Any]):
    page = to_html(report)
    assert re.findall("<h1>(.*?)</h1>", page) == [
        "Hybrid search finds the right document first in 58 of 100 cases; BM25 in 47."
    ]
    assert headings(page) == [
        "What was read",
        "Quality",
        "Learning curve",
        "Map of the corpus",
        "Where the model and BM25 disagree",
        "What to do next",
        "Versions",
    ]


SECTIONS = {
    "curve": "Learning curve",
    "map": "Map of the corpus",
    "examples": "Where the model and BM25 disagree",
    "versions": "Versions",
}


@pytest.mark.parametrize("missing", ["", *SECTIONS])
@pytest.mark.parametrize("empty", [True, False])
def test_a_missing_or_empty_part_is_left_out(report: dict[str, Any], missing: str, empty: bool):
    if missing:
        report[missing] = type(report[missing])()
        if not empty:
            del report[missing]
    shown = headings(to_html(report))
    assert [heading for heading in SECTIONS.values() if heading not in shown] == [
        SECTIONS[one] for one in SECTIONS if one == missing
    ]


def test_every_key_may_be_missing_or_null(report: dict[str, Any]):
    for key, part in report.items():
        without = {name: value for name, value in report.items() if name != key}
        assert to_html(without).endswith("</html>\n")
        assert to_html({**report, key: None}).endswith("</html>\n")
        assert to_html({key: part}).endswith("</html>\n")
    assert headings(to_html({})) == []


def test_keys_inside_of_a_part_may_be_missing_or_null(report: dict[str, Any]):
    def without_each(value: Any) -> Any:
        """The value again and again, each time with one inner key gone or null."""
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, one in inner:
            for changed in (None, *without_each(one)):
                copy = deepcopy(value)
                copy[key] = changed
                yield copy
            if isinstance(value, dict):
                yield {name: other for name, other in value.items() if name != key}

    for variant in without_each(report):
        page = to_html(variant)
        assert ">None<" not in page
        assert "nan" not in Parsed(page).text.lower().split()


def test_figures_are_shown_times_100_with_their_intervals(report: dict[str, Any]):
    text = " ".join(Parsed(to_html(report)).text.split())
    assert "66.4 61.4 to 72.4" in text
    assert "+10.3 +6.1 to +14.6 better" in text
    assert "-1.7 -7.0 to +4.0 no difference beyond chance" in text
    assert "-13.2 -19.0 to -7.0 worse" in text
    assert "this model alone over topics alone: +8.2 +3.0 to +13.0 better" in text
    assert "71.2" in text


def test_a_stranger_can_tell_the_systems_apart(report: dict[str, Any]):
    text = Parsed(to_html(report)).text
    for name in ("words and meaning together", "this model alone", "the start, before training", "words alone"):
        assert name in text


def test_the_test_is_explained_and_only_what_is_known_is_said(report: dict[str, Any]):
    trained_on_all = "The model in the store was trained on all documents."
    assert "looks for the rest of it among all passages" in to_html(report)
    assert "looks for the rest of it among the held-out documents" in to_html({**report, "source": "docs:"})
    assert "There are 200 such cases, from 43 held-out documents." in to_html(report)
    assert trained_on_all in to_html(report)
    ready = {**report, "curve": [], "retrieval": {"trained": report["retrieval"]["trained"]}}
    assert trained_on_all not in to_html(ready)


def test_what_was_not_read_is_named_and_what_is_not_named_is_counted(report: dict[str, Any]):
    page = to_html(report)
    assert "Not read: 31 files" in page
    assert "and 10 more: all are in skipped.jsonl" in page
    assert page.count("more: all are in") == 1


def test_the_right_document_is_marked_where_it_was_found(report: dict[str, Any]):
    page = to_html(report)
    assert page.count("✓ right document") == 1
    assert "The right document: hybrid search has it at place 1; BM25 does not have it." in page


def with_hostile_text(value: Any) -> Any:
    """The same report, every text of it hostile, and every key that a person's files could name."""
    if isinstance(value, dict):
        return {key: with_hostile_text(one) for key, one in value.items()} | (
            {HOSTILE: with_hostile_text(next(iter(value.values())))} if value else {}
        )
    if isinstance(value, list):
        return [with_hostile_text(one) for one in value]
    return f"{value}{HOSTILE}" if isinstance(value, str) else value


def test_no_text_of_a_report_becomes_part_of_the_page(report: dict[str, Any], tmp_path: Path):
    write_page(with_hostile_text(report), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text("utf8")
    parsed = Parsed(page)
    assert set(parsed.tags) <= OUR_TAGS
    assert parsed.tags.count("script") == 2
    assert not [name for name, _ in parsed.attributes if name.startswith("on") or name in {"src", "href"}]
    assert not re.search("[\x00\x1b\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page)
    assert "<!--" not in page
    title, document, text = json.loads(parsed.scripts[0])[0]
    assert title.startswith("Leave</script><script>alert(1)</script><img src=x")
    assert document.startswith("a.md</script>")
    assert text.startswith("Thirty days.</script>")


def test_the_page_may_run_its_own_script_alone_and_load_nothing(report: dict[str, Any]):
    page = to_html(report)
    script = re.findall("<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert len(script) == 1
    assert f'content="{policy}"' in page
    assert not re.search(r"https?:|@import|url\(", page)


def test_the_script_finds_every_element_that_it_asks_for(report: dict[str, Any]):
    page = to_html(report)
    wanted = set(re.findall(r'find\("([a-z-]+)"\)', page))
    assert len(wanted) > 5
    assert wanted <= set(re.findall("id='([a-z-]+)'", page))


def test_a_large_map_stays_below_two_megabytes():
    point = {"title": "標題" * 100, "document": "文件" * 100, "text": "\U00020000<" * 80}
    points = [{**point, "x": number / 3000, "y": number % 7, "group": number % 12} for number in range(3000)]
    page = to_html({"map": {"points": points, "groups": [{"name": "一", "size": 250}] * 12}})
    assert len(page.encode()) < 2_000_000
    assert page.count("<circle class='g") == 3000
    assert "\U00020000\\u003c" * 5 in page


def test_points_without_a_place_are_left_out(report: dict[str, Any]):
    report["map"]["points"] += [{"x": float("nan"), "y": 0.5, "text": "nowhere"}, {"title": "nor here"}]
    page = to_html(report)
    assert page.count("<circle class='g") == 3
    assert "nowhere" not in page
    assert "3 of 3,411 passages, drawn at random" in page


def test_commands_are_told_from_sentences(report: dict[str, Any]):
    page = to_html(report)
    assert "<pre><code>selfsent search DIR &quot;your question&quot;</code></pre>" in page
    assert "<p>Read the scanned files with text recognition.</p>" in page


@pytest.mark.parametrize(
    ("seconds", "shown"), [(8.24, "8.2 s"), (93.1, "1 min 33 s"), (3600, "60 min 0 s"), (59.99, "60.0 s")]
)
def test_a_duration_is_said_in_minutes_and_seconds(seconds: float, shown: str):
    assert duration(seconds) == shown


def test_the_date_is_written_out(report: dict[str, Any]):
    assert "28 November 2026, 19:00 UTC" in to_html(report)
    assert "28 November 2026, 19:00 UTC+05:30" in to_html({"created": "2026-11-28T19:00:00+05:30"})
    assert "yesterday" in to_html({"created": "yesterday"})
