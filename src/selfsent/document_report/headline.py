"""The result of a build in a few sentences that follow from its figures."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from selfsent.document_report.figures import (
    FOUND_FIRST,
    METRICS,
    NDCG,
    Difference,
    difference,
    in_sentence,
    number,
    systems,
    times_100,
    times_100_interval,
)
from selfsent.document_report.plain_text import counted, joined, mapping, one_line

_ROUGH_BELOW = 30
"""Fewer cases than these and the sentence says how few they were."""


def headline(report: Mapping[str, Any]) -> tuple[str, str]:
    """Say how good the search is.

    Args:
        report: What a build writes to ``report.json``.

    Returns:
        The sentence that matters most, and what has to be known beside it: whether the difference from BM25 is larger
        than chance, with its interval, and whether there were too few cases. Each is empty where nothing is known.
    """
    scores = systems(report.get("retrieval"))
    ours = next((name for name in ("hybrid", "trained") if name in scores), None)
    if ours is None:
        return _without_figures(report), ""
    sentence = _found_first(scores, ours) or _by_ndcg(scores, ours)
    if not sentence:
        return _without_figures(report), ""
    over_bm25 = difference(report, ours, "bm25")
    verdict = _verdict(over_bm25, _seen(scores, ours)) if over_bm25 and "bm25" in scores else ""
    return sentence, " ".join(filter(None, (verdict, _rough(report))))


def what_was_read(report: Mapping[str, Any]) -> str:
    """Say how much was read, a sentence or nothing."""
    documents, corpus = mapping(report.get("documents")), mapping(report.get("corpus"))
    read, passages = (
        number(documents.get(key, corpus.get(of_corpus)))
        for key, of_corpus in (("read", "documents"), ("passages", "passages"))
    )
    words = number(corpus.get("words"))
    parts = [
        counted(value, noun)
        for value, noun in ((read, "document"), (passages, "passage"), (words, "word"))
        if value is not None
    ]
    return f"Read {joined(parts)}." if parts else ""


def what_was_skipped(report: Mapping[str, Any]) -> dict[str, tuple[int, list[str]]]:
    """Give why files were not read: how many, and the names of the first, by reason, the most frequent first."""
    skipped = mapping(mapping(report.get("documents")).get("skipped"))
    found: dict[str, tuple[int, list[str]]] = {}
    for reason, one in skipped.items():
        files = [str(file) for file in mapping(one).get("files") or () if file is not None]
        count = int(number(mapping(one).get("count")) or len(files))
        if count:
            found[one_line(reason)] = (count, files)
    return dict(sorted(found.items(), key=lambda item: -item[1][0]))


def what_changed(report: Mapping[str, Any]) -> str:
    """Say what is new since the last build, a sentence or nothing."""
    changes = mapping(report.get("changes"))
    kinds = ("new", "updated", "removed", "unchanged", "kept, since unreadable now")
    counts = {kind: number(changes.get(kind)) for kind in kinds}
    parts = [f"{count:,.0f} {kind}" for kind, count in counts.items() if count is not None]
    return f"Since last time: {', '.join(parts)}." if parts else ""


def nothing_new(report: Mapping[str, Any]) -> str:
    """Say that a build found everything as it was, and when it was measured; nothing where something has changed."""
    changes = mapping(report.get("changes"))
    others = [number(count) for kind, count in changes.items() if kind != "unchanged"]
    if report.get("learned_now") is not False or not others or any(count != 0 for count in others):
        return ""
    told = f"Nothing has changed since the last build of {counted(number(changes.get('unchanged')) or 0, 'document')}."
    if not systems(report.get("retrieval")):
        return told
    measured = written_time(report.get("measured"))
    page = one_line(mapping(report.get("paths")).get("page")) or "its report"
    return f"{told} The figures{f' of {measured}' if measured else ''} are in {page}."


def written_time(value: object) -> str:
    """Write a time as people do, ``28 November 2026, 19:00 UTC``; a value that is not a time is left unchanged."""
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return one_line(value)
    zone = (
        "" if at.tzinfo is None else " UTC" if at.utcoffset() == UTC.utcoffset(None) else f" UTC{at.isoformat()[-6:]}"
    )
    return f"{at.day} {at:%B %Y, %H:%M}{zone}"


def _found_first(scores: Mapping[str, Mapping[str, Any]], ours: str) -> str:
    cases = number(scores[ours].get(FOUND_FIRST))
    if cases is None:
        return ""
    begin = f"{_capital(in_sentence(ours))} finds the right document first in {100 * cases:.0f} of 100 cases"
    theirs = number(scores.get("bm25", {}).get(FOUND_FIRST))
    if theirs is None:
        return f"{begin}."
    is_same = f"{100 * cases:.0f}" == f"{100 * theirs:.0f}"
    return f"{begin}, and so does BM25." if is_same else f"{begin}; BM25 in {100 * theirs:.0f}."


def _by_ndcg(scores: Mapping[str, Mapping[str, Any]], ours: str) -> str:
    value, theirs = (number(scores.get(name, {}).get(NDCG)) for name in (ours, "bm25"))
    if value is None:
        return ""
    begin = f"{_capital(in_sentence(ours))} has an nDCG@10 of {times_100(value)}"
    return f"{begin}." if theirs is None else f"{begin}; BM25 has {times_100(theirs)}."


def _seen(scores: Mapping[str, Mapping[str, Any]], ours: str) -> float:
    """Give the difference that the first sentence shows, as it shows it."""
    for key, decimals in ((FOUND_FIRST, 2), (NDCG, 3)):
        value, theirs = (number(scores.get(name, {}).get(key)) for name in (ours, "bm25"))
        if value is not None:
            return 0.0 if theirs is None else round(value, decimals) - round(theirs, decimals)
    return 0.0


def _verdict(found: Difference, seen: float) -> str:
    """Say whether a difference is larger than chance; ``seen`` is the difference that the sentence before has named."""
    metric = METRICS.get(found.metric, found.metric)
    signed = f"{times_100(found.value, sign=True)} points of {metric}"
    if found.ci95 is None:
        return f"Whether the difference is larger than chance was not tested ({signed})."
    if not found.is_clear:
        bounds = times_100_interval(found.ci95, sign=True)
        return f"This difference is not beyond chance ({signed}, 95% interval {bounds})."
    size_low, size_high = sorted(abs(bound) for bound in found.ci95)
    bounds = times_100_interval((size_low, size_high))
    size = f"{times_100(abs(found.value))} points of {metric}, 95% interval {bounds}"
    if seen * found.value <= 0:  # the measures disagree, or the first one sees no difference
        return f"By {metric} it is {found.verdict}, by more than chance ({size})."
    worse = "That is worse than BM25, and the" if found.value < 0 else "The"
    return f"{worse} difference is larger than chance ({size})."


def _rough(report: Mapping[str, Any]) -> str:
    queries = number(mapping(report.get("corpus")).get("queries"))
    if queries is None or queries >= _ROUGH_BELOW:
        return ""
    return f"Only {counted(queries, 'case was', 'cases were')} tested, so the figures are rough."


def _without_figures(report: Mapping[str, Any]) -> str:
    read = number(mapping(report.get("documents")).get("read"))
    if read == 0:
        return "No document could be read."
    return "How good the search is was not measured." if read else ""


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
