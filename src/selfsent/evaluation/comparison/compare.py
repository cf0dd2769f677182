"""Comparing runs: every task side by side, and whether a run differs from the first by more than chance."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfsent.errors import UserError
from selfsent.evaluation.comparison.runs import Run, open_runs
from selfsent.evaluation.differences import Difference, paired_differences
from selfsent.evaluation.metrics import Metric, direction_note
from selfsent.evaluation.report import shown_means
from selfsent.evaluation.score import Score
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.printed_text import TextTable, in_markdown

_LEGEND = "Values with their 95% intervals, fractions times 100."
_LEGEND_OF_DIFFERENCES = (
    "The difference is the run less {first}, with the 95% interval of a paired bootstrap; it is starred where that"
    " leaves out zero, which happens by chance too where there are many."
)


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
    def tasks(self) -> dict[str, Metric]:
        """The headline metric of every task of any run, in order."""
        return {score.task: score.metric for run in self.runs for score in run.report.scores}

    @property
    def unshared_tasks(self) -> list[str]:
        """The tasks that one run alone was scored on, in order: there is nothing to compare them with."""
        counts = Counter(score.task for run in self.runs for score in run.report.scores)
        return [task for task in self.tasks if counts[task] == 1]

    @property
    def unpaired_note(self) -> str:
        """Which runs have no differences although they were scored on tasks of the first, and why; empty if none."""
        first, *others = self.runs
        known = {score.task for score in first.report.scores}
        paired = {name for _, name in self.differences}
        unpaired = [
            run.name for run in others if run.name not in paired and known & {score.task for score in run.report.scores}
        ]
        if not unpaired:
            return ""
        return (
            f"No differences for {', '.join(unpaired)}: they need the scores of single items of both runs, which stand "
            "in NAME.items.npz beside NAME.json; evaluate again with --json."
        )

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
        num_resamples: Number of resamples of each paired bootstrap.
        seed: Random seed of the resampling.
    """
    first, *others = runs
    found = [
        difference
        for other in others
        for difference in paired_differences([first.report, other.report], num_resamples=num_resamples, seed=seed)
    ]
    return Comparison(runs=runs, differences={(one.task, one.model_b): one for one in found})


def signed(difference: Difference) -> str:
    """Write a difference as people read it, with its sign and a star where its interval leaves out zero."""
    value = difference.metric.shown(difference.paired.difference)
    return f"{'+' if difference.paired.difference >= 0 else ''}{value}{'*' if difference.is_clear else ''}"


def with_interval(difference: Difference) -> str:
    """Write a difference with its sign, its star and its 95% interval."""
    return f"{signed(difference)} ({difference.metric.shown_interval(difference.paired.ci95)})"


def render(comparison: Comparison) -> TextTable:
    """Lay a comparison out as a table for a terminal, fractions times 100: value, interval, difference from the first.

    Args:
        comparison: The comparison.
    """
    table = TextTable(caption=legend(comparison), has_lines=True)
    for heading in ("task", "metric"):
        table.add_column(heading, no_wrap=True)
    for run in comparison.runs:
        table.add_column(run.name, justify="right", overflow="fold")
    for task, metric in comparison.tasks.items():
        table.add_row(task, metric.name, *(_cell(comparison, run, task, between="\n") for run in comparison.runs))
    for name, cells in shown_means([run.report for run in comparison.runs]).items():
        table.add_row(name, "mean", *cells, style="bold")
    return table


def to_markdown(comparison: Comparison) -> str:
    """Write a comparison as a Markdown table, fractions times 100.

    Args:
        comparison: The comparison.

    Returns:
        One row a task; behind the first column of values each cell also has the difference from the first run.
    """
    names = [in_markdown(run.name) for run in comparison.runs]
    lines = [_row(["task", "metric", *names]), _row(["---", "---", *("---:" for _ in names)])]
    for task, metric in comparison.tasks.items():
        cells = (_cell(comparison, run, task) for run in comparison.runs)
        lines.append(_row([in_markdown(task), in_markdown(metric.name), *cells]))
    for name, cells in shown_means([run.report for run in comparison.runs]).items():
        lines.append(_row([f"**{in_markdown(name)}**", "mean", *(f"**{cell}**" for cell in cells)]))
    return "\n".join([*lines, "", in_markdown(legend(comparison)), ""])


def legend(comparison: Comparison) -> str:
    """Say what the figures of a comparison are, wherever they are shown."""
    of_differences = _LEGEND_OF_DIFFERENCES.format(first=comparison.runs[0].name) if comparison.differences else ""
    direction = direction_note(comparison.tasks.values())
    return " ".join(filter(None, (_LEGEND, of_differences, direction, comparison.unpaired_note)))


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(comparison: Comparison, run: Run, task: str, *, between: str = " ") -> str:
    score = comparison.score(run, task)
    if score is None:
        return "-"
    parts = [score.shown(), f"({score.shown_interval()})"]
    difference = comparison.differences.get((task, run.name))
    return between.join(parts if difference is None else [*parts, with_interval(difference)])
