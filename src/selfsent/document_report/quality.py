"""The part of the page about quality: the table of figures with their intervals, and how the test is made."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from selfsent.document_report.figures import (
    FOUND_FIRST,
    NDCG,
    RECALL,
    SYSTEMS,
    Difference,
    difference,
    differences,
    in_sentence,
    interval,
    number,
    systems,
    times_100,
    times_100_interval,
)
from selfsent.document_report.plain_text import counted, in_page, mapping, one_line

_TRAINED_HERE = {"topics", "untrained"}
_BAR_WIDTH = 200


def quality_section(report: Mapping[str, Any]) -> str:
    """Write the table of quality, other differences, other questions, and how the test is made."""
    scores = systems(report.get("retrieval"))
    by_part = _by_part(report)
    if not scores and not by_part:
        return ""
    table = _table(report, scores) if scores else ""
    return f"<h2>Quality</h2>\n{table}{_other_differences(report)}{by_part}{how_tested(report)}"


def system_name(system: str) -> str:
    """Name a system as HTML, what it is below the name: ``hybrid``, then ``words and meaning together``."""
    if system not in SYSTEMS:
        return f"<b>{in_page(system)}</b>"
    name, _, meaning = SYSTEMS[system].replace(" (", ": ", 1).rstrip(")").partition(": ")
    return f"<b>{escape(name)}</b>{f'<small>{escape(meaning)}</small>' if meaning else ''}"


def how_tested(report: Mapping[str, Any]) -> str:
    """Explain the test and what its figures do not say."""
    notes = "".join(f"<li>{note}</li>" for note in _notes(report))
    return f"<details open><summary>How the test is made, and what the figures mean</summary><ul>{notes}</ul></details>"


def _notes(report: Mapping[str, Any]) -> Iterator[str]:
    corpus, source = mapping(report.get("corpus")), report.get("source")
    queries, heldout = number(corpus.get("queries")), number(corpus.get("heldout_documents"))
    cases = "" if queries is None else f" There are {counted(queries, 'such case')}"
    cases += f", from {counted(heldout, 'held-out document')}." if cases and heldout is not None else "." * bool(cases)
    among = "" if not source else "the held-out documents" if str(source).startswith("docs:") else "all passages"
    yield (
        "A part of each held-out document, here its first sentence, looks for the rest of it"
        f"{f' among {among}' if among else ''}. No one has to label anything.{cases}"
    )
    yield (
        "<b>Found first</b>: in how many of 100 cases the right document stands first. <b>nDCG@10</b>: 100 where it "
        "always does, less the further down it stands, 0 where it is not among the first ten. <b>recall@10</b>: in how "
        "many of 100 cases it is among the first ten."
    )
    yield (
        "The <b>95% interval</b> says how far a figure could lie off by the luck of which cases were asked. “Better” "
        "and “worse” stand where the interval of the paired difference leaves out zero."
    )
    yield "The figures can be compared within this corpus only: not with those of other texts, nor with published ones."
    if report.get("curve") or _TRAINED_HERE & mapping(report.get("retrieval")).keys():
        yield (
            "The model in the store was trained on all documents. The figures come from a model that had not seen the "
            "held-out ones."
        )
    weight = number(report.get("fusion_weight"))
    if weight is not None:
        yield (
            f"Hybrid search gives meaning a weight of {weight:.2f} (0: words alone, 1: meaning alone), chosen by the "
            "same kind of test."
        )


def _table(report: Mapping[str, Any], scores: Mapping[str, Mapping[str, Any]]) -> str:
    has_first = any(number(one.get(FOUND_FIRST)) is not None for one in scores.values())
    has_differences = any(difference(report, name, "bm25") for name in scores)
    headings = ["", *["found first"] * has_first, "nDCG@10", "recall@10", *["over BM25"] * has_differences]
    rows: list[str] = []
    for name, one in scores.items():
        first, recall = number(one.get(FOUND_FIRST)), number(one.get(RECALL))
        cells = [
            *["-" if first is None else f"<div>{100 * first:.0f} <small>of 100</small></div>"] * has_first,
            _ndcg(one),
            "-" if recall is None else times_100(recall),
            *[_difference(difference(report, name, "bm25"))] * has_differences,
        ]
        labelled = "".join(
            f"<td data-label='{heading}'>{cell}</td>" for heading, cell in zip(headings[1:], cells, strict=True)
        )
        rows.append(f"<tr><th scope='row'>{system_name(name)}</th>{labelled}</tr>")
    return _as_table(headings, rows, "Figures times 100, small beside them the 95% interval")


def _as_table(headings: list[str], rows: list[str], caption: str) -> str:
    head = "".join(f"<th scope='col'>{heading}</th>" for heading in headings)
    return (
        f"<table class='figures'><caption>{caption}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>\n"
    )


def _ndcg(scores: Mapping[str, Any]) -> str:
    value, bounds = number(scores.get(NDCG)), interval(scores.get("ci95"))
    if value is None:
        return "-"
    shown = "" if bounds is None else f"<small>{times_100_interval(bounds)}</small>"
    return f"<div>{times_100(value)} {shown}{_bar(value, bounds)}</div>"


def _bar(value: float, bounds: tuple[float, float] | None) -> str:
    """Draw a value and its interval on a line from 0 to 100."""
    low, high = (_BAR_WIDTH * min(max(bound, 0), 1) for bound in bounds or (value, value))
    return (
        f"<svg class='bar' viewBox='0 0 {_BAR_WIDTH} 10' preserveAspectRatio='none' aria-hidden='true'>"
        f"<path class='rule' d='M0 5H{_BAR_WIDTH}'/><path class='reach' d='M{low:.1f} 5H{high:.1f}'/>"
        f"<path class='at' d='M{_BAR_WIDTH * min(max(value, 0), 1):.1f} 0V10'/></svg>"
    )


def _difference(found: Difference | None) -> str:
    if found is None:
        return "-"
    kind = {"better": "gain", "worse": "loss"}.get(found.verdict, "")
    bounds = "" if found.ci95 is None else f" <small>{times_100_interval(found.ci95, sign=True)}</small>"
    verdict = f" <small class='{kind}'>{found.verdict}</small>" if found.verdict else ""
    value = f"<span class='{kind}'>{times_100(found.value, sign=True)}</span>"
    return f"<div class='difference'>{value}{bounds}{verdict}</div>"


def _other_differences(report: Mapping[str, Any]) -> str:
    others = [one for one in differences(report) if "bm25" not in {one.of, one.over}]
    rows = "".join(
        f"<li>{in_page(in_sentence(one.of))} over {in_page(in_sentence(one.over))}: {_difference(one)}</li>"
        for one in others
    )
    return f"<h3>Other differences (nDCG@10)</h3><ul class='differences'>{rows}</ul>\n" if rows else ""


def _by_part(report: Mapping[str, Any]) -> str:
    parts = {str(part): systems(scores) for part, scores in mapping(report.get("retrieval_by_part")).items()}
    parts = {part: scores for part, scores in parts.items() if scores}
    if not parts:
        return ""
    headings = ["", *(in_page(f"by its {part}") for part in parts)]
    names = systems({name: {} for scores in parts.values() for name in scores})
    rows: list[str] = []
    for name in names:
        cells = "".join(
            f"<td data-label='{escape(one_line(part))}'>{_plain_ndcg(scores.get(name))}</td>"
            for part, scores in parts.items()
        )
        rows.append(f"<tr><th scope='row'>{system_name(name)}</th>{cells}</tr>")
    table = _as_table(headings, rows, "nDCG@10 where another part of the document asks")
    return f"<h3>Asked by other parts of a document</h3>\n{table}"


def _plain_ndcg(scores: Mapping[str, Any] | None) -> str:
    value, bounds = number((scores or {}).get(NDCG)), interval((scores or {}).get("ci95"))
    if value is None:
        return "-"
    shown = "" if bounds is None else f" <small>{times_100_interval(bounds)}</small>"
    return f"<div>{times_100(value)}{shown}</div>"
