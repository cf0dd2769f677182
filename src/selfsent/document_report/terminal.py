"""The report of a build in the terminal: the headline and the table that the page has."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType

from selfsent.document_report.figures import (
    FOUND_FIRST,
    NDCG,
    RECALL,
    SYSTEMS,
    Difference,
    difference,
    interval,
    number,
    systems,
    times_100,
    times_100_interval,
)
from selfsent.document_report.headline import headline, nothing_new, what_changed, what_was_read, what_was_skipped
from selfsent.document_report.page import duration
from selfsent.document_report.plain_text import counted, mapping, one_line
from selfsent.printed_text import TextTable, plain, visible

_NAMES_SHOWN = 5
"""Files that are named of those that were not read for one reason."""


def render(report: Mapping[str, Any]) -> list[RenderableType]:
    """Lay the report of a build out for the terminal, no text of it taken for markup.

    Args:
        report: What a build writes to ``report.json``; any key may be missing.

    Returns:
        What to print, one after another.
    """
    seconds = number(report.get("seconds"))
    unchanged = nothing_new(report)
    sentence, *rest = [unchanged, *_skipped(report)[:1]] if unchanged else _result(report)
    lines = [plain(sentence, "bold"), *map(plain, rest)]
    notes, steps = (report.get(key) if isinstance(report.get(key), list | tuple) else () for key in ("notes", "next"))
    closing = [
        *(plain(f"Note: {visible(note)}") for note in notes or ()),
        plain(f"Done in {duration(seconds)}." if seconds is not None else ""),
        *(plain(f"  {visible(name)}: {visible(path)}") for name, path in mapping(report.get("paths")).items()),
        *(plain(f"Next: {visible(step)}") for step in steps or ()),
    ]
    table = [_table(report)] if systems(report.get("retrieval")) and not unchanged else []
    return [*filter(len, lines), *table, *filter(len, closing)]


def _result(report: Mapping[str, Any]) -> list[str]:
    """Say how good the search is, and what was read."""
    read = " ".join(filter(None, (what_was_read(report), what_changed(report))))
    return [*headline(report), read, *_skipped(report)]


def _skipped(report: Mapping[str, Any]) -> list[str]:
    skipped = what_was_skipped(report)
    if not skipped:
        return []
    total = sum(count for count, _ in skipped.values())
    reasons = [f"  {count:,}: {reason}{_named(names, count)}" for reason, (count, names) in skipped.items()]
    is_cut = any(count > _NAMES_SHOWN for count, _ in skipped.values())
    return [
        f"Not read: {counted(total, 'file')}",
        *reasons,
        *(["  all of them are in skipped.jsonl"] if is_cut else []),
    ]


def _named(names: Sequence[str], count: int) -> str:
    """Name the first files that were not read for one reason, and how many more there are."""
    shown = [one_line(name) for name in names[:_NAMES_SHOWN]]
    more = f" and {count - len(shown):,} more" if count > len(shown) else ""
    return f": {', '.join(shown)}{more}" if shown else ""


def _table(report: Mapping[str, Any]) -> TextTable:
    scores = systems(report.get("retrieval"))
    queries = number(mapping(report.get("corpus")).get("queries"))
    asked = "" if queries is None else f" ({counted(queries, 'case')})"
    table = TextTable(
        title=f"The first sentence of a held-out document looks for the rest of it{asked}",
        caption="figures times 100; * the difference from BM25 is larger than chance",
    )
    table.add_column("")
    for heading in ("found\nfirst", "nDCG\n@10", "95%\ninterval", "recall\n@10", "over\nBM25"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, one in scores.items():
        first, ndcg, recall = (number(one.get(key)) for key in (FOUND_FIRST, NDCG, RECALL))
        bounds = interval(one.get("ci95"))
        table.add_row(
            plain(SYSTEMS.get(name) or visible(name)),
            "-" if first is None else f"{100 * first:.0f}",
            "-" if ndcg is None else times_100(ndcg),
            "-" if bounds is None else times_100_interval(bounds),
            "-" if recall is None else times_100(recall),
            _starred(difference(report, name, "bm25")),
        )
    return table


def _starred(found: Difference | None) -> str:
    return "-" if found is None else f"{times_100(found.value, sign=True)}{'*' if found.is_clear else ' '}"
