"""The report of a build as one HTML file: no network, light and dark, readable on a phone and on paper."""

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from selfsent.atomic import write_text
from selfsent.document_report.examples_section import examples_section
from selfsent.document_report.figures import number
from selfsent.document_report.headline import (
    headline,
    what_changed,
    what_was_read,
    what_was_skipped,
    written_time,
)
from selfsent.document_report.learning_curve import learning_curve_section
from selfsent.document_report.map_section import map_section
from selfsent.document_report.plain_text import counted, in_page, mapping, one_line
from selfsent.document_report.quality import quality_section

_MINUTE = 60


def write_page(report: Mapping[str, Any], path: Path) -> None:
    """Write the report of a build as a page.

    All text of the report is data: none of it can become part of the page's own code. The page's policy lets it run its
    own script alone, and load nothing.

    Args:
        report: What a build writes to ``report.json``, fractions as fractions; any key may be missing, and the page
            then leaves its part out.
        path: The file.

    Raises:
        UserError: The place cannot be written to.
    """
    write_text(path, to_html(report))


def to_html(report: Mapping[str, Any]) -> str:
    """Give the report of a build as one whole HTML document."""
    sentence, verdict = headline(report)
    sections = [
        f"<h1>{escape(sentence)}</h1>" if sentence else f"<h1>{_title(report)}</h1>",
        f"<p class='verdict'>{escape(verdict)}</p>" if verdict else "",
        _about(report),
        _reading(report),
        quality_section(report),
        learning_curve_section(report),
        map_section(report),
        examples_section(report),
        _next(report),
        _versions(report),
    ]
    script, style = _asset("map.js"), _asset("page.css")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    body = "\n".join(section for section in sections if section)
    return (
        f"<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>{_title(report)}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n"
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _asset(name: str) -> str:
    return files("selfsent.document_report").joinpath(name).read_text("utf8")


def _title(report: Mapping[str, Any]) -> str:
    source = one_line(report.get("source"), limit=80)
    return escape(f"selfsent: {source}" if source else "selfsent: report of a build")


def _about(report: Mapping[str, Any]) -> str:
    """Say of what the report is: source, date, time taken, base."""
    seconds = number(report.get("seconds"))
    parts = [
        in_page(report.get("source")) if report.get("source") else "",
        escape(written_time(report.get("created"))),
        f"built in {duration(seconds)}" if seconds is not None else "",
        f"base {in_page(report['base'])}" if report.get("base") else "",
    ]
    shown = " · ".join(filter(None, parts))
    return f"<p class='meta'>{shown}</p>" if shown else ""


def duration(seconds: float) -> str:
    """Say how long something took: ``8.2 s``, ``1 min 33 s``."""
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    return f"{minutes:,} min {rest} s"


def _reading(report: Mapping[str, Any]) -> str:
    """Say what was read, what was not and why, what changed, and what the build noted."""
    read, changed, skipped = what_was_read(report), what_changed(report), what_was_skipped(report)
    notes = report.get("notes")
    noted = "".join(f"<li>{escape(one_line(note))}</li>" for note in notes) if isinstance(notes, list | tuple) else ""
    parts = [
        f"<p>{escape(' '.join(filter(None, (read, changed))))}</p>" if read or changed else "",
        _skipped(skipped) if skipped else "",
        f"<h3>Notes</h3><ul>{noted}</ul>" if noted else "",
    ]
    body = "\n".join(filter(None, parts))
    return f"<h2>What was read</h2>\n{body}" if body else ""


def _skipped(skipped: Mapping[str, tuple[int, list[str]]]) -> str:
    total = sum(count for count, _ in skipped.values())
    rows = "".join(
        f"<tr><td>{_reason(reason, count, names)}</td><td>{count:,}</td></tr>"
        for reason, (count, names) in skipped.items()
    )
    head = "<tr><th scope='col'>why not</th><th scope='col'>files</th></tr>"
    return (
        f"<h3>Not read: {counted(total, 'file')}</h3>"
        f"<table class='skipped'><thead>{head}</thead><tbody>{rows}</tbody></table>"
    )


def _reason(reason: str, count: int, names: list[str]) -> str:
    """Give a reason, and under it the names of its files."""
    if not names:
        return in_page(reason)
    more = f"<li>and {count - len(names):,} more: all are in skipped.jsonl</li>" if count > len(names) else ""
    items = "".join(f"<li>{in_page(name)}</li>" for name in names)
    return f"<details><summary>{in_page(reason)}</summary><ul>{items}{more}</ul></details>"


def _next(report: Mapping[str, Any]) -> str:
    """Show what to do next, and where things are."""
    steps = report.get("next")
    shown = "".join(_step(one_line(step)) for step in steps) if isinstance(steps, list | tuple) else ""
    paths = _pairs(mapping(report.get("paths")))
    return f"<h2>What to do next</h2>\n{shown}{paths}" if shown or paths else ""


def _step(step: str) -> str:
    """Show a step: a command as one, anything else as a sentence."""
    is_command = step.startswith("selfsent ")
    return f"<pre><code>{escape(step)}</code></pre>" if is_command else f"<p>{escape(step)}</p>"


def _versions(report: Mapping[str, Any]) -> str:
    versions = _pairs(mapping(report.get("versions")))
    return f"<h2>Versions</h2>\n{versions}" if versions else ""


def _pairs(values: Mapping[str, Any]) -> str:
    rows = "".join(f"<dt>{in_page(key)}</dt><dd>{in_page(value)}</dd>" for key, value in values.items())
    return f"<dl>{rows}</dl>" if rows else ""
