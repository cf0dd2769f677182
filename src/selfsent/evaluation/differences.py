"""Whether one model is better than another: paired differences between reports, the later less the earlier."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from selfsent.errors import UserError
from selfsent.evaluation.metrics import MEAN_OF_TASKS, Metric, direction_note
from selfsent.evaluation.report import Report, shown_means
from selfsent.evaluation.score import Score
from selfsent.evaluation.statistics import PairedDifference, Statistic, paired_bootstrap
from selfsent.printed_text import TextTable, plain, progress_bar


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A second model against a first on one task.

    Args:
        task: Name of the task.
        metric: Its headline metric.
        model_a: The first model.
        model_b: The second.
        paired: Value of the second less that of the first, with interval and p-value.
    """

    task: str
    metric: Metric
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
        reports: Reports of different models on the same data.
        num_resamples: Number of bootstrap resamples of each comparison.
        seed: Random seed of the resampling.

    Returns:
        The differences, the later report less the earlier, by pair of reports and then by task.

    Raises:
        UserError: Two reports of the same task are not about the same items.
    """
    pairs = list(_item_pairs(reports))
    found: list[Difference] = []
    for one, other in progress_bar(pairs, what="paired bootstrap", unit="task"):
        paired = paired_bootstrap(other.items, one.items, one.statistic, num_resamples=num_resamples, seed=seed)
        found.append(
            Difference(task=one.task, metric=one.metric, model_a=one.model, model_b=other.model, paired=paired)
        )
    return found


@dataclass(frozen=True, kw_only=True)
class _Scored:
    """A score that can be paired, and the model that it is of."""

    model: str
    task: str
    metric: Metric
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
        if score.items is not None and score.metric.statistic is not None:
            yield _Scored(
                model=report.model,
                task=score.task,
                metric=score.metric,
                items=score.items,
                statistic=score.metric.statistic,
            )


def _check_same_items(one: _Scored, other: _Scored) -> None:
    same = one.items.shape == other.items.shape and one.metric.name == other.metric.name
    if same and one.metric.has_gold:
        same = np.array_equal(one.items[:, 1:], other.items[:, 1:])
    if not same:
        raise UserError(
            f"{one.task}: {one.model} ({len(one.items)} items, {one.metric}) and {other.model} ({len(other.items)} "
            f"items, {other.metric}) were not scored on the same data; evaluate both anew with the same files"
        )


def render_side_by_side(reports: Sequence[Report]) -> TextTable:
    """Lay several reports out as one table, a row a task and a column a model, fractions times 100."""
    table = TextTable(caption="value (95% interval); fractions times 100")
    table.add_column("task", no_wrap=True)
    table.add_column("metric", no_wrap=True)
    for report in reports:
        table.add_column(report.model, justify="right", overflow="fold")
    metric_of = {score.task: score.metric for report in reports for score in report.scores}
    by_task = [{score.task: score for score in report.scores} for report in reports]
    for task, metric in metric_of.items():
        table.add_row(task, metric.name, *(_cell(scores.get(task)) for scores in by_task))
    for name, cells in shown_means(reports).items():
        table.add_row(name, "mean", *cells, style="bold")
    return table


def _cell(score: Score | None) -> str:
    return "-" if score is None else f"{score.shown()} ({score.shown_interval()})"


def render_differences(differences: Sequence[Difference]) -> TextTable:
    """Lay paired differences out as a table, fractions times 100; bold where the interval leaves out zero."""
    note = direction_note(one.metric for one in differences)
    table = TextTable(title="paired differences", caption=f"second less first, fractions times 100\n{note}".rstrip())
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
            f"{'+' if paired.difference > 0 else ''}{one.metric.shown(paired.difference)}",
            one.metric.shown_interval(paired.ci95),
            f"{paired.p_value:.3f}",
            style="bold" if one.is_clear else None,
        )
    return table


def render_baselines(reports: Sequence[Report], *, num_resamples: int = 1000, seed: int = 0) -> TextTable:
    """Lay a model's report and those of its baselines out as one table, fractions times 100.

    Args:
        reports: The model's, then one a baseline (``selfsent.evaluation.baselines.evaluate_with_baselines``).
        num_resamples: Number of resamples of each paired bootstrap.
        seed: Random seed of the resampling.
    """
    model, *baselines = reports
    note = direction_note(score.metric for score in model.scores)
    star = "* the 95% interval of the paired difference from the model leaves out zero"
    table = TextTable(caption=f"fractions times 100; {star}\n{note}".rstrip())
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
        value = plain(score.shown(), "bold")
        table.add_row(score.task, score.metric.name, value, score.shown_interval(), *cells)
    table.add_section()
    means = shown_means(reports)
    for name, mean in model.averages().items():
        value, *cells = means[name]
        table.add_row(name, "mean", value, MEAN_OF_TASKS.shown_interval(mean.ci95), *cells, style="bold")
    return table


def _starred(score: Score | None, is_clear: bool) -> str:
    return "-" if score is None else f"{score.shown()}{'*' if is_clear else ' '}"
