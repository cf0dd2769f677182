"""The figures of a report: what was measured, under names that a stranger understands, fractions times 100."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from selfsent.document_report.plain_text import entries, mapping, one_line

SYSTEMS = {
    "hybrid": "hybrid: words and meaning together",
    "trained": "this model alone",
    "topics": "topics alone (the start, before training)",
    "untrained": "the same model, untrained",
    "averaged": "its token vectors, averaged",
    "bm25": "BM25: words alone",
}
"""What a report compares, in the order people read it."""

_IN_SENTENCE = {
    "hybrid": "hybrid search",
    "trained": "this model alone",
    "topics": "topics alone",
    "untrained": "the untrained model",
    "averaged": "averaging its token vectors",
    "bm25": "BM25",
}
NDCG, RECALL, FOUND_FIRST = "ndcg@10", "recall@10", "found_first"
METRICS = {NDCG: "nDCG@10", RECALL: "recall@10", FOUND_FIRST: "found first"}


def in_sentence(system: str) -> str:
    """Name a system inside of a sentence."""
    return _IN_SENTENCE.get(system, system)


def number(value: object) -> float | None:
    """Give a finite number; ``None`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def interval(value: object) -> tuple[float, float] | None:
    """Give the two bounds of an interval; ``None`` for anything else."""
    bounds = [number(bound) for bound in value] if isinstance(value, list | tuple) else []
    match bounds:
        case [float() as low, float() as high]:
            return low, high
        case _:
            return None


def times_100(value: float, *, sign: bool = False) -> str:
    """Show a fraction times 100 with one decimal, or with two where one would show it as zero."""
    shown = (f"{100 * value:{'+' if sign else ''}.{decimals}f}" for decimals in (1, 2))
    return next((text for text in shown if float(text)), "0.0")


def times_100_interval(bounds: tuple[float, float], *, sign: bool = False) -> str:
    """Show an interval of fractions times 100: ``62.1 to 69.8``."""
    return " to ".join(times_100(bound, sign=sign) for bound in bounds)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How much better one system is than another.

    Args:
        of: The one.
        over: The other.
        value: Value of the one less that of the other, a fraction.
        ci95: 95% interval of the value; ``None`` where it was not computed.
        metric: Name of the measure.
    """

    of: str
    over: str
    value: float
    ci95: tuple[float, float] | None
    metric: str = NDCG

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.ci95 is not None and not self.ci95[0] <= 0 <= self.ci95[1]

    @property
    def verdict(self) -> str:
        """``better`` or ``worse`` beyond chance, ``no difference beyond chance``; empty without an interval."""
        if self.ci95 is None:
            return ""
        return "no difference beyond chance" if not self.is_clear else "better" if self.value > 0 else "worse"

    def turned(self) -> "Difference":
        """Give the same difference from the other's side."""
        ci95 = self.ci95 and (-self.ci95[1], -self.ci95[0])
        return Difference(of=self.over, over=self.of, value=-self.value, ci95=ci95, metric=self.metric)


def systems(scores: object) -> dict[str, Mapping[str, Any]]:
    """Give the scores of the systems, known ones in the order of ``SYSTEMS``, then the others."""
    found = {str(name): one for name, one in mapping(scores).items() if isinstance(one, Mapping)}
    return {name: found[name] for name in [*(name for name in SYSTEMS if name in found), *found]}


def differences(report: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield the paired differences of a report."""
    for one in entries(report.get("differences")):
        value = number(one.get("difference"))
        if value is not None and one.get("of") and one.get("over"):
            yield Difference(
                of=str(one["of"]),
                over=str(one["over"]),
                value=value,
                ci95=interval(one.get("ci95")),
                metric=one_line(one.get("metric")) or NDCG,
            )


def difference(report: Mapping[str, Any], of: str, over: str) -> Difference | None:
    """Find the difference of two systems, in whichever order it was recorded."""
    for one in differences(report):
        if (one.of, one.over) == (of, over):
            return one
        if (one.of, one.over) == (over, of):
            return one.turned()
    return None
