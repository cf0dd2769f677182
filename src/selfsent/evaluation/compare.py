"""Comparing runs: every task side by side, and whether a run differs from the first by more than chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfsent.errors import UserError
from selfsent.evaluation.differences import Difference, paired_differences
from selfsent.evaluation.report import shown, shown_interval
from selfsent.evaluation.runs import Run, open_runs
from selfsent.evaluation.score import Score
from selfsent.evaluation.suites import SuiteOptions


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Runs side by side.

    Args:
        runs: The runs; the first is what the others are compared with.
        differences: Each other run less the first, by task and run name, where both were scored item by item.
    """

    runs: Sequence[Run]
    differences: Mapping[tuple[str, str], Difference]

    @property
    def tasks(self) -> dict[str, str]:
        """The headline metric of every task of any run, in order."""
        return {score.task: score.metric for run in self.runs for score in run.report.scores}

    def score(self, run: Run, task: str) -> Score | None:
        """Give the score of a run on a task, if it has one."""
        return next((score for score in run.report.scores if score.task == task), None)


def compare(
    paths: Sequence[str | Path],
    *,
    suites: str | Sequence[str] = ("sts", "geometry"),
    data_dir: str | Path | None = None,
    options: SuiteOptions | None = None,
) -> Comparison:
    """Compare runs: model folders, evaluated where they have not been, or saved reports.

    Args:
        paths: At least two runs; the first is the baseline.
        suites: What folders are evaluated on.
        data_dir: The evaluation data; without it only remembered evaluations are used.
        options: The settings of the protocol.

    Returns:
        The runs with a paired bootstrap of each against the first.

    Raises:
        UserError: There are fewer than two runs, one cannot be opened, or two were not scored on the same data.
    """
    if len(paths) < 2:  # noqa: PLR2004 a comparison has two sides
        raise UserError(f"{len(paths)} run to compare; name at least two, the first is the baseline")
    options = options or SuiteOptions()
    runs = open_runs(paths, suites=suites, data_dir=data_dir, options=options)
    return compare_runs(runs, num_resamples=options.num_resamples, seed=options.seed)


def compare_runs(runs: Sequence[Run], *, num_resamples: int = 1000, seed: int = 0) -> Comparison:
    """Pair every run with the first.

    Args:
        runs: The runs, with names of their own.
        num_resamples: Of each paired bootstrap.
        seed: Of the resampling.
    """
    first, *others = runs
    found = [
        difference
        for other in others
        for difference in paired_differences([other.report, first.report], num_resamples=num_resamples, seed=seed)
    ]
    return Comparison(runs=runs, differences={(one.task, one.model_a): one for one in found})


def is_clear(difference: Difference) -> bool:
    """Tell whether the interval of a difference leaves out zero."""
    interval = difference.paired.ci95
    return interval is not None and not interval[0] <= 0 <= interval[1]


def signed(difference: Difference) -> str:
    """Write a difference as people read it, with its sign and a star where its interval leaves out zero."""
    value = shown(difference.paired.difference, difference.metric)
    return f"{'+' if difference.paired.difference >= 0 else ''}{value}{'*' if is_clear(difference) else ''}"


def to_markdown(comparison: Comparison) -> str:
    """Write a comparison as a Markdown table, fractions times 100.

    Args:
        comparison: The comparison.

    Returns:
        One row a task; behind the first column of values each cell also has the difference from the first run.
    """
    names = [run.name for run in comparison.runs]
    lines = [_row(["task", "metric", *names]), _row(["---", "---", *("---:" for _ in names)])]
    for task, metric in comparison.tasks.items():
        lines.append(_row([task, metric, *(_cell(comparison, run, task) for run in comparison.runs)]))
    averages = [run.report.averages() for run in comparison.runs]
    for name in dict.fromkeys(name for means in averages for name in means):
        cells = (f"**{shown(means[name].value, '')}**" if name in means else "-" for means in averages)
        lines.append(_row([f"**{name}**", "mean", *cells]))
    note = (
        f"Value (95% interval); behind it the difference from {names[0]}, starred where the 95% interval of a paired "
        "bootstrap leaves out zero. Fractions times 100. Several stars among many comparisons are expected by chance."
    )
    return "\n".join([*lines, "", note, ""])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _cell(comparison: Comparison, run: Run, task: str) -> str:
    score = comparison.score(run, task)
    if score is None:
        return "-"
    text = f"{shown(score.value, score.metric)} ({shown_interval(score.ci95, score.metric)})"
    difference = comparison.differences.get((task, run.name))
    return text if difference is None else f"{text} {signed(difference)}"
