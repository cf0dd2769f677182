"""The table of a recipe with many runs: mean and spread over the seeds of every variant, for people and for scripts."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from selfsent.evaluation.metrics import metric_named
from selfsent.printed_text import TextTable, in_markdown

_PRECISE_BELOW = 100
"""Seconds under this are shown with a decimal."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """One figure of the runs of a variant.

    Args:
        metric: What was measured: ``spearman``, ``heldout_loss``, ``seconds``, ``tokens_per_second``.
        values: One a run, in the order of the seeds.
    """

    metric: str
    values: Sequence[float]

    @property
    def mean(self) -> float:
        """The mean over runs."""
        return statistics.fmean(self.values)

    @property
    def sd(self) -> float | None:
        """The sample standard deviation over runs; ``None`` for a single one."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    def __str__(self) -> str:
        mean = self._shown(self.mean)
        return mean if self.sd is None else f"{mean} ± {self._shown(self.sd)}"

    def _shown(self, value: float) -> str:
        if self.metric in {"seconds", "tokens_per_second"}:
            return f"{value:,.1f}" if value < _PRECISE_BELOW else f"{value:,.0f}"
        return f"{value:.4f}" if self.metric.endswith("loss") else metric_named(self.metric).shown(value)

    def to_json(self) -> dict[str, Any]:
        """Give the figure as JSON values, unrounded."""
        return {
            "metric": self.metric,
            "mean": self.mean,
            "sd": self.sd,
            "n": len(self.values),
            "values": list(self.values),
        }


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one finished run came to.

    Args:
        seed: Its seed.
        figures: Metric and value by the name of the column: a task, an average, or the metric of training.
    """

    seed: int
    figures: Mapping[str, tuple[str, float]]


@dataclass(frozen=True, kw_only=True)
class Line:
    """The finished runs of one variant.

    Args:
        name: Of the variant.
        settings: What distinguishes it from the others.
        outcomes: One a finished run.
    """

    name: str
    settings: Mapping[str, Any]
    outcomes: Sequence[Outcome]

    @property
    def figures(self) -> dict[str, Spread]:
        """Every figure over the runs that have it."""
        metrics = {name: metric for outcome in self.outcomes for name, (metric, _) in outcome.figures.items()}
        return {
            name: Spread(
                metric=metric,
                values=[outcome.figures[name][1] for outcome in self.outcomes if name in outcome.figures],
            )
            for name, metric in metrics.items()
        }


@dataclass(frozen=True, kw_only=True)
class RunTable:
    """What the runs of a recipe came to, so far.

    Args:
        name: Of the recipe.
        title: Its title.
        answers: Which published number it answers to.
        evaluated: ``dev``, or the suites.
        lines: One a variant, also where no run of it is finished.
        failed: Why, by the folder of the run, for runs that broke off.
        missing: Folders of the runs that have not been finished yet, without the failed ones.
    """

    name: str
    evaluated: str
    lines: Sequence[Line]
    title: str = ""
    answers: str = ""
    failed: Mapping[str, str] = field(default_factory=dict[str, str])
    missing: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """Give the table as JSON values; metrics of tasks are fractions."""
        return {
            "recipe": self.name,
            "title": self.title,
            "answers": self.answers,
            "evaluated": self.evaluated,
            "rows": [
                {
                    "name": line.name,
                    "settings": dict(line.settings),
                    "seeds": [outcome.seed for outcome in line.outcomes],
                    "n": len(line.outcomes),
                    "figures": {name: spread.to_json() for name, spread in line.figures.items()},
                }
                for line in self.lines
            ],
            "failed": dict(self.failed),
            "missing": list(self.missing),
        }

    def to_markdown(self) -> str:
        """Write the table as people read it, with what is missing or failed below."""
        headings, rows = self._cells()
        marks = ["---", *("---:" for _ in headings[1:])]
        cells = [list(map(in_markdown, row)) for row in (headings, *rows)]
        lines = ["| " + " | ".join(row) + " |" for row in (cells[0], marks, *cells[1:])]
        heading = [f"# {in_markdown(self.title or self.name)}", ""]
        heading += [f"Answers to: {in_markdown(self.answers)}", ""] if self.answers else []
        return "\n".join([*heading, *lines, "", *map(in_markdown, (self._note(), *self._unfinished())), ""])

    def render(self) -> TextTable:
        """Lay the table out for a terminal."""
        headings, rows = self._cells()
        caption = "\n".join([self._note(), *self._unfinished()])
        table = TextTable(title=self.title or self.name, caption=caption)
        table.add_column(headings[0], overflow="fold")
        for heading in headings[1:]:
            table.add_column(heading, justify="right")
        for row in rows:
            table.add_row(*row)
        return table

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        names = list(dict.fromkeys(name for line in self.lines for name in line.figures))
        names.sort(key=lambda name: name in {"seconds", "tokens/s"})
        rows = [
            [line.name, str(len(line.outcomes)), *(str(line.figures.get(name, "-")) for name in names)]
            for line in self.lines
        ]
        return ["run", "n", *names], rows

    def _note(self) -> str:
        what = (
            "best metric on development data during training; no test set was read"
            if self.evaluated == "dev"
            else f"best metric on development data during training, and suites {self.evaluated} on the final models"
        )
        return (
            f"Mean ± standard deviation over n seeds; {what}. Fractions times 100, losses as they are."
            " Seconds are of the whole run, tokens/s of its training steps."
        )

    def _unfinished(self) -> list[str]:
        missing = [f"Not finished yet: {', '.join(self.missing)}."] if self.missing else []
        return missing + [f"Failed: {folder}: {reason}" for folder, reason in self.failed.items()]
