"""The terminal says what the page says, and takes no text for markup."""

from typing import Any

import pytest
from rich.console import Console

from selfsent.document_report import render


def printed(report: dict[str, Any], width: int = 80) -> str:
    console = Console(width=width, force_terminal=True, color_system="standard")
    with console.capture() as capture:
        for one in render(report):
            console.print(one)
    return capture.get()


def test_headline_table_and_next_steps_are_printed(report: dict[str, Any]):
    text = printed(report)
    assert "Hybrid search finds the right document first in 58 of 100 cases; BM25 in 47." in text
    assert "larger than chance (10.3 points of nDCG@10" in text
    assert "  30: no text in it (scanned?)" in text
    assert "hybrid: words and meaning" in text
    assert "+10.3*" in text
    assert "-1.7 " in text
    assert "61.4 to 72.4" in text
    assert "Done in 1 min 33 s." in text
    assert 'Next: selfsent search DIR "your question"' in text
    assert "Note: notes.txt was taken as one document" in text


def test_a_build_with_nothing_new_says_so_in_a_line_and_repeats_no_figure(report: dict[str, Any]):
    report |= {"changes": {"new": 0, "updated": 0, "removed": 0, "unchanged": 212}, "learned_now": False}
    report |= {"measured": "2026-11-27T08:05:00+00:00", "paths": {"page": "DIR/report.html"}}
    lines = [line.rstrip() for line in printed(report, width=200).splitlines()]
    told = "Nothing has changed since the last build of 212 documents. The figures of 27 November 2026, 08:05 UTC"
    assert f"{told} are in DIR/report.html." in lines[0]
    assert lines[1] == "Not read: 31 files"
    assert not any("nDCG" in line or "scan 0.pdf" in line for line in lines)
    assert 'Next: selfsent search DIR "your question"' in lines


@pytest.mark.parametrize("change", [{"learned_now": True}, {"changes": {"new": 1, "unchanged": 212}}, {"changes": {}}])
def test_a_build_that_learned_or_found_something_shows_its_figures(report: dict[str, Any], change: dict[str, Any]):
    report |= {"changes": {"new": 0, "updated": 0, "removed": 0, "unchanged": 212}, "learned_now": False} | change
    assert "nDCG" in printed(report, width=200)


def test_the_first_five_files_that_were_not_read_are_named_by_reason(report: dict[str, Any]):
    lines = [line.rstrip() for line in printed(report, width=200).splitlines()]
    first = lines.index("Not read: 31 files")
    assert lines[first + 1 : first + 4] == [
        "  30: no text in it (scanned?): scan 0.pdf, scan 1.pdf, scan 2.pdf, scan 3.pdf, scan 4.pdf and 25 more",
        "  1: a password is needed: pay.pdf",
        "  all of them are in skipped.jsonl",
    ]
    report["documents"]["skipped"] = {"broken": {"count": 1, "files": ["a\nb\x1b[31m.docx"]}}
    text = printed(report, width=200)
    assert "  1: broken: a b\ufffd[31m.docx" in text
    assert "skipped.jsonl" not in text


def test_no_line_is_wider_than_the_terminal_and_no_figure_is_cut(report: dict[str, Any]):
    report["retrieval"]["hybrid"] |= {"ndcg@10": 1.0, "recall@10": 1.0, "ci95": [1.0, 1.0], "found_first": 1.0}
    text = printed(report)
    assert "100.0 to 100.0" in text
    assert "…" not in text


def test_text_of_files_is_neither_markup_nor_a_command_to_the_terminal(report: dict[str, Any]):
    hostile = "[red]x[/red] [/] \x1b[31m\x1b]0;title\x07 \u202e\ud800"
    report["documents"]["skipped"] = {hostile: {"count": 2}}
    report["notes"] = report["next"] = [hostile]
    report["paths"] = {hostile: hostile}
    report["retrieval"][hostile] = report["retrieval"]["bm25"]
    text = printed(report, width=200)
    assert text.count("[red]x[/red] [/]") == 6
    assert "\x1b[31m" not in text
    assert "\x1b]0" not in text
    assert "\u202e" not in text


def test_an_empty_report_prints_nothing():
    assert render({}) == []
