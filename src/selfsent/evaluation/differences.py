"""Whether one model is better than another: paired differences between reports on the same tasks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from selfsent.errors import UserError
from selfsent.evaluation.metrics import direction_note
from selfsent.evaluation.progress import progress_bar
from selfsent.evaluation.report import Report, shown, shown_interval
from selfsent.evaluation.score import Score, Statistic
from selfsent.evaluation.statistics import PairedDifference, paired_bootstrap
from selfsent.printed_text import TextTable, plain

_PREDICTED_THEN_DATA = {"spearman", "pearson", "mixture_loss", "frequency_bias", "length_bias"}
"""Metrics whose items hold what the model predicted in the first column and what the data say in the others."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One model against another on one task.

    Args:
        task: Name of the task.
        metric: Its headline metric.
        model_a: The first model.
        model_b: The second.
        paired: Value of the first less that of the second, with interval and p-value.
    """

    task: str
    metric: str
    model_a: str
    model_b: str
    paired: PairedDifference

    @property
    def is_clear(self) -> bool:
        """Whether the 95% interval leaves out zero."""
        return self.paired.ci95 is not None and not self.paired.ci95[0] <= 0 <= self.paired.ci95[1]


def paired_differences(reports: Sequence[Report], *, num_resamples: int = 1000, seed: int = 0) -> list[Difference]:
    """Compare each two reports on every task that both scored item by item.

    Args:
        reports: Of different models, on the same data.
        num_resamples: Of each comparison.
        seed: Of the resampling.

    Returns:
        The differences, the earlier report less the later, by pair of reports and then by task.

    Raises:
        UserError: Two reports of the same task are not about the same items.
    """
    pairs = list(_item_pairs(reports))
    found: list[Difference] = []
    for one, other in progress_bar(pairs, what="paired bootstrap", unit="task"):
        paired = paired_bootstrap(one.items, other.items, one.statistic, num_resamples=num_resamples, seed=seed)
        found.append(
            Difference(task=one.task, metric=one.metric, model_a=one.model, model_b=other.model, paired=paired)
        )
    return found


@dataclass(frozen=True, kw_only=True)
class _Scored:
    """A score that can be paired, and whose it is."""

    model: str
    task: str
    metric: str
    items: NDArray[np.float64]
    statistic: Statistic


def _item_pairs(reports: Sequence[Report]) -> Iterator[tuple[_Scored, _Scored]]:
    """Give, of each two reports, what both scored item by item, the items checked to be the same."""
    by_task = [{one.task: one for one in _with_items(report)} for report in reports]
    for first, second in combinations(by_task, 2):
        for task, one in first.items():
            if task in second:
                _check_same_items(one, second[task])
                yield one, second[task]


def _with_items(report: Report) -> Iterator[_Scored]:
    for score in report.scores:
        if score.items is not None and score.statistic is not None:
            yield _Scored(
                model=report.model,
                task=score.task,
                metric=score.metric,
                items=score.items,
                statistic=score.statistic,
            )


def _check_same_items(one: _Scored, other: _Scored) -> None:
    same = one.items.shape == other.items.shape and one.metric == other.metric
    if same and one.metric in _PREDICTED_THEN_DATA:
        same = np.array_equal(one.items[:, 1:], other.items[:, 1:])
    if not same:
        raise UserError(
            f"{one.task}: {one.model} ({len(one.items)} items, {one.metric}) and {other.model} ({len(other.items)} "
            f"items, {other.metric}) were not scored on the same data; evaluate both anew with the same files"
        )


def render_side_by_side(reports: Sequence[Report]) -> TextTable:
    """Lay several reports out as one table, a row a task and a column a model, fractions times 100."""
    table = TextTable(caption="value (95% interval); fractions x100")
    table.add_column("task", no_wrap=True)
    table.add_column("metric", no_wrap=True)
    for report in reports:
        table.add_column(report.model, justify="right", overflow="fold")
    metric_of = {score.task: score.metric for report in reports for score in report.scores}
    by_task = [{score.task: score for score in report.scores} for report in reports]
    for task, metric in metric_of.items():
        table.add_row(task, metric, *(_cell(scores.get(task)) for scores in by_task))
    averages = [report.means() for report in reports]
    for name in dict.fromkeys(name for means in averages for name in means):
        cells = (shown(means[name], "") if name in means else "-" for means in averages)
        table.add_row(name, "mean", *cells, style="bold")
    return table


def _cell(score: Score | None) -> str:
    return "-" if score is None else f"{shown(score.value, score.metric)} ({shown_interval(score.ci95, score.metric)})"


def render_differences(differences: Sequence[Difference]) -> TextTable:
    """Lay paired differences out as a table, fractions times 100; bold where the interval leaves out zero."""
    note = direction_note(one.metric for one in differences)
    table = TextTable(title="paired differences", caption=f"first less second, x100\n{note}".rstrip())
    for heading in ("task", "first", "second"):
        table.add_column(heading, overflow="fold")
    for heading in ("difference", "95% interval", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in differences:
        paired = one.paired
        table.add_row(
            one.task,
            one.model_a,
            one.model_b,
            f"{'+' if paired.difference > 0 else ''}{shown(paired.difference, one.metric)}",
            shown_interval(paired.ci95, one.metric),
            f"{paired.p_value:.3f}",
            style="bold" if one.is_clear else None,
        )
    return table


def render_baselines(reports: Sequence[Report], *, num_resamples: int = 1000, seed: int = 0) -> TextTable:
    """Lay a model's report and those of its baselines out as one table, fractions times 100.

    Args:
        reports: The model's, then one a baseline (``selfsent.evaluation.baselines.evaluate_with_baselines``).
        num_resamples: Of each paired bootstrap.
        seed: Of the resampling.
    """
    model, *baselines = reports
    note = direction_note(score.metric for score in model.scores)
    star = "* the 95% interval of the paired difference from the model leaves out zero"
    table = TextTable(caption=f"fractions x100; {star}\n{note}".rstrip())
    for heading in ("task", "metric"):
        table.add_column(heading, no_wrap=True)
    table.add_column(model.model, justify="right", overflow="fold")
    table.add_column("95% interval", justify="right", no_wrap=True)
    clear: set[tuple[str, str]] = set()
    for report in baselines:
        table.add_column(report.model, justify="right", overflow="fold")
        found = paired_differences([model, report], num_resamples=num_resamples, seed=seed)
        clear |= {(report.model, one.task) for one in found if one.is_clear}
    by_task = [(report.model, {score.task: score for score in report.scores}) for report in baselines]
    for score in model.scores:
        cells = (_starred(scores.get(score.task), (name, score.task) in clear) for name, scores in by_task)
        shown_value, ci95 = shown(score.value, score.metric), shown_interval(score.ci95, score.metric)
        table.add_row(score.task, score.metric, plain(shown_value, "bold"), ci95, *cells)
    table.add_section()
    averages = [report.means() for report in baselines]
    for name, mean in model.averages().items():
        cells = (shown(means[name], "") if name in means else "-" for means in averages)
        table.add_row(name, "mean", shown(mean.value, ""), shown_interval(mean.ci95, ""), *cells, style="bold")
    return table


def _starred(score: Score | None, is_clear: bool) -> str:
    return "-" if score is None else f"{shown(score.value, score.metric)}{'*' if is_clear else ' '}"
