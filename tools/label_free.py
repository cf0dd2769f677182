"""How well a model is chosen without labels: ``python -m tools.label_free`` reads results/*/runs/*.json.

Along each training that was measured at five steps or more, the rank correlation of STS-B dev with what needs no
labels: the loss, uniformity, alignment and effective rank of training texts, and where
`python -m benchmarks.own_documents_by_step` measured them the suite `own-documents` and the alignment of parts of a
document. Alignment of training texts needs pairs; parts of documents are pairs for every method. A sign is turned so
that 1 always means: chooses as STS-B dev does.
"""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from selfsent.runs.kept_runs import KeptRun, kept_run

RESULTS = Path(__file__).resolve().parents[1] / "results"
DEV = "sts_dev_spearman"
MEASURES: Mapping[str, int] = {
    "loss": -1,
    "uniformity": -1,
    "alignment": -1,
    "effective_rank": 1,
    "own_documents": 1,
    "alignment_of_parts": -1,
}
"""What is correlated, and the sign of the better direction."""
_FEWEST = 5
_NOTE = (
    "Mean over trainings of Spearman's rank correlation with STS-B dev over the steps of a training (1: chooses as"
    " labels do), and in brackets the points of STS-B dev that the chosen step is below the best one."
)


@dataclass(frozen=True, kw_only=True)
class Group:
    """The trainings of one method in one table.

    Args:
        table: Name of the table.
        method: Name of the method.
        along: By measure, the correlation along each training.
        chosen: By measure, points of STS-B dev that its best step is below the best step by labels, in each training.
    """

    table: str
    method: str
    along: Mapping[str, Sequence[float]]
    chosen: Mapping[str, Sequence[float]]


def correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's rank correlation; ``None`` where one side is constant."""
    if len(set(first)) == 1 or len(set(second)) == 1:
        return None
    found: Any = spearmanr(first, second)
    return float(found.statistic)


def points_lost(dev: Sequence[float], measure: Sequence[float]) -> float:
    """Points that the step with the highest measure is below the step with the highest STS-B dev."""
    return 100 * (max(dev) - dev[int(np.argmax(measure))])


def runs_in(place: Path) -> list[KeptRun]:
    """Read the finished runs that a table keeps, in the order of their names."""
    return [run for path in sorted(place.glob("*.json")) if (run := kept_run(path)) is not None]


def groups(folder: Path = RESULTS) -> Iterator[Group]:
    """Every table with trainings that can be looked at, by method."""
    for place in sorted(folder.glob("*/runs")):
        runs = runs_in(place)
        for method in sorted({run.identity["method"] for run in runs}):
            curves = [run.curve for run in runs if run.identity["method"] == method]
            found = _group(place.parent.name, method, curves)
            if any(found.along.values()):
                yield found


def _group(table: str, method: str, curves: Sequence[Sequence[Mapping[str, Any]]]) -> Group:
    along: dict[str, list[float]] = {}
    chosen: dict[str, list[float]] = {}
    for curve in curves:
        for name, sign in MEASURES.items():
            both = [(row[DEV], sign * row[name]) for row in curve if DEV in row and name in row]
            if len(both) < _FEWEST:
                continue
            dev, measure = zip(*both, strict=True)
            found = correlation(dev, measure)
            if found is not None:
                along.setdefault(name, []).append(found)
                chosen.setdefault(name, []).append(points_lost(dev, measure))
    return Group(table=table, method=method, along=along, chosen=chosen)


def markdown(found: Sequence[Group]) -> str:
    """The table that results/label-free.md holds."""
    names = list(MEASURES)
    lines = [
        "# Which measure chooses a step of a training without labels",
        "",
        f"| table, method | trainings | {' | '.join(name.replace('_', ' ') for name in names)} |",
        f"| --- | ---: | {' | '.join('---:' for _ in names)} |",
    ]
    for group in found:
        count = max(len(values) for values in group.along.values())
        cells = [_cell(group.along.get(name, ()), group.chosen.get(name, ())) for name in names]
        lines.append(f"| {group.table}, {group.method} | {count} | {' | '.join(cells)} |")
    lines += [
        "",
        _NOTE,
        "",
    ]
    return "\n".join(lines)


def _cell(along: Sequence[float], chosen: Sequence[float]) -> str:
    return f"{statistics.fmean(along):+.2f} ({statistics.fmean(chosen):.1f})" if along else ""


def main() -> int:
    """Write results/label-free.md."""
    (RESULTS / "label-free.md").write_text(markdown(list(groups())), encoding="utf8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
