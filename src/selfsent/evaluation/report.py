"""The scores of one model: their averages, the JSON that scripts read, the table that people read."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfsent.atomic import atomic_path, is_device, write_text
from selfsent.errors import UserError
from selfsent.evaluation.metrics import MEAN_OF_TASKS, metric_named
from selfsent.evaluation.score import Score
from selfsent.evaluation.statistics import STATISTICS, CountedStatistic, bootstrap_values, interval
from selfsent.printed_text import TextTable, plain
from selfsent.provenance import installed_versions

STS7 = ("STS12", "STS13", "STS14", "STS15", "STS16", "STSBenchmark", "SICK-R")
LEXICAL = ("simlex999", "wordsim353_similarity", "wordsim353_relatedness")
MULTILINGUAL_STS = "STSBenchmarkMultilingual"


@dataclass(frozen=True, kw_only=True)
class Average:
    """The plain mean of several tasks.

    Args:
        value: Mean of the tasks' values, unrounded, as a fraction.
        ci95: 95% bootstrap interval, each task resampled on its own; ``None`` where a task has none.
    """

    value: float
    ci95: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class Report:
    """What ``selfsent evaluate`` found out about one model.

    Args:
        model: Name or path of the model.
        scores: One a task.
        dimension: Width of its embeddings; ``None`` for what does not embed (BM25).
        model_hash: Content hash of its folder; ``None`` for a model that is not in one.
        settings: The protocol: suites, split, aggregation, seed and so on.
        seconds: How long each suite took.
        versions: Versions of the packages and of Python.
    """

    model: str
    scores: tuple[Score, ...]
    dimension: int | None = None
    model_hash: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    versions: Mapping[str, str] = field(default_factory=installed_versions)

    def score(self, task: str) -> Score:
        """Give the score of one task; ``KeyError`` where it was not run."""
        return {score.task: score for score in self.scores}[task]

    def averages(self) -> dict[str, Average]:
        """Average the groups of tasks that are there in full: ``sts7``, ``lexical``, multilingual STS."""
        return {name: average(scores) for name, scores in self._groups().items()}

    def means(self) -> dict[str, float]:
        """Give the values of ``averages`` alone, without the seconds that their intervals take."""
        return {name: _mean(scores) for name, scores in self._groups().items()}

    def _groups(self) -> dict[str, list[Score]]:
        by_task = {score.task: score for score in self.scores}
        multilingual = tuple(task for task in by_task if task.startswith(f"{MULTILINGUAL_STS}/"))
        groups = {"sts7": STS7, "lexical": LEXICAL, MULTILINGUAL_STS: multilingual}
        return {
            name: [by_task[task] for task in tasks]
            for name, tasks in groups.items()
            if tasks and all(task in by_task for task in tasks)
        }

    def to_json(self) -> dict[str, Any]:
        """Give the report as JSON values; every metric is a fraction."""
        averages = self.averages()
        return {
            "model": self.model,
            "model_hash": self.model_hash,
            "dimension": self.dimension,
            "tasks": {score.task: _task_json(score) for score in self.scores},
            "averages": {name: average.value for name, average in averages.items()},
            "averages_ci95": {name: average.ci95 for name, average in averages.items()},
            "settings": dict(self.settings),
            "seconds": {suite: round(seconds, 2) for suite, seconds in self.seconds.items()},
            "versions": dict(self.versions),
        }

    def save(self, path: str | Path) -> None:
        """Write the report to ``path`` and the per-item outcomes beside it, ``report.json`` and ``report.items.npz``.

        Into a pipe or a terminal goes the report alone.

        Raises:
            UserError: The place cannot be written to.
        """
        items = {score.task: score.items for score in self.scores if score.items is not None}
        if not is_device(Path(path)):
            with atomic_path(items_path(path)) as aside, aside.open("wb") as stream:
                np.savez_compressed(stream, allow_pickle=False, **items)
        write_text(Path(path), json.dumps(self.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _task_json(score: Score) -> dict[str, Any]:
    """One entry of ``tasks``; the statistic's name lets a saved report be paired with another."""
    entry: dict[str, Any] = {
        "metric": score.metric.name,
        "value": score.value,
        "ci95": None if score.ci95 is None else list(score.ci95),
        "n": score.num_items,
        "also": {name: value for name, value in score.also.items() if value == value},  # noqa: PLR0124 without NaN
    }
    if isinstance(score.metric.statistic, CountedStatistic):
        entry["statistic"] = score.metric.statistic.name
    return entry


def average(scores: Sequence[Score], *, num_resamples: int = 1000, seed: int = 0) -> Average:
    """Average the values of several tasks, with an interval from resampling each of them on its own.

    Args:
        scores: One a task.
        num_resamples: Number of bootstrap resamples.
        seed: Random seed of the resampling; each task draws with a seed of its own.
    """
    resampled: list[NDArray[np.float64]] = [
        bootstrap_values(score.items, score.metric.statistic, num_resamples=num_resamples, seed=seed + number)
        for number, score in enumerate(scores)
        if score.items is not None and score.metric.statistic is not None
    ]
    complete = len(resampled) == len(scores)
    return Average(
        value=_mean(scores),
        ci95=interval(np.mean(resampled, axis=0)) if complete else None,
    )


def _mean(scores: Sequence[Score]) -> float:
    return float(np.mean([score.value for score in scores]))


def shown_means(reports: Sequence[Report]) -> dict[str, list[str]]:
    """Write the averages of several reports as people read them, by name; a dash where a report lacks one."""
    averages = [report.means() for report in reports]
    names = dict.fromkeys(name for means in averages for name in means)
    return {name: [MEAN_OF_TASKS.shown(means[name]) if name in means else "-" for means in averages] for name in names}


def items_path(path: str | Path) -> Path:
    """Give the place of a report's per-item outcomes: ``report.items.npz`` beside ``report.json``."""
    return Path(path).with_suffix(".items.npz")


def load_report(path: str | Path) -> Report:
    """Read a report written by ``Report.save`` or ``selfsent evaluate --json``.

    Args:
        path: The JSON file. Without its ``.items.npz`` beside it the scores are read, but cannot be paired.

    Raises:
        UserError: There is no such file, or it is not such a report.
    """
    try:
        content = json.loads(Path(path).read_text("utf-8-sig"))
        items = _load_items(items_path(path))
        scores = tuple(_score(task, entry, items.get(task)) for task, entry in content["tasks"].items())
        return Report(
            model=content["model"],
            scores=scores,
            dimension=content.get("dimension"),
            model_hash=content.get("model_hash"),
            settings=content.get("settings", {}),
            seconds=content.get("seconds", {}),
            versions=content.get("versions", {}),
        )
    except OSError as error:
        raise UserError(f"cannot read the report {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} is not a report of `selfsent evaluate --json` ({type(error).__name__}: {error}); write it anew"
        ) from error


def _load_items(path: Path) -> dict[str, NDArray[np.float64]]:
    if not path.is_file():
        return {}
    with np.load(path, allow_pickle=False) as stored:
        return {task: stored[task] for task in stored.files}


def _score(task: str, entry: Mapping[str, Any], items: NDArray[np.float64] | None) -> Score:
    return Score(
        task=task,
        metric=replace(metric_named(entry["metric"]), statistic=STATISTICS.get(entry.get("statistic", ""))),
        value=entry["value"],
        ci95=None if entry["ci95"] is None else tuple(entry["ci95"]),
        num_items=entry["n"],
        also=entry.get("also", {}),
        items=items,
    )


def _shown_figure(name: str, value: float | str) -> str:
    """Write a further figure with its name as people read it, a count and a note as they are."""
    return f"{name} {value if isinstance(value, str | int) else metric_named(name).shown(value)}"


def render(report: Report) -> TextTable:
    """Lay a report out as a table for a terminal, fractions times 100."""
    width = "" if report.dimension is None else f", {report.dimension} dimensions"
    table = TextTable(title=f"{report.model}{width}", caption="fractions times 100")
    for heading in ("task", "metric"):
        table.add_column(heading, no_wrap=True)
    for heading in ("value", "95% interval", "n"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("also")
    for score in report.scores:
        also = ", ".join(_shown_figure(name, value) for name, value in score.also.items())
        cells = (score.metric.name, score.shown(), score.shown_interval(), str(score.num_items), also)
        table.add_row(score.task, *cells)
    averages = report.averages()
    if averages:
        table.add_section()
    for name, mean in averages.items():
        value, ci95 = MEAN_OF_TASKS.shown(mean.value), MEAN_OF_TASKS.shown_interval(mean.ci95)
        table.add_row(plain(name, "bold"), "mean", plain(value, "bold"), ci95)
    return table
