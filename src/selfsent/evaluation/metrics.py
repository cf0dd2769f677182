"""What each metric is: its direction, its unit, the statistic that resamples it, and whether its items hold gold."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from selfsent.evaluation.statistics import STATISTICS, Statistic


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One way to score a model. A score carries its metric, so no caller compares names.

    Args:
        name: Name in snake case, with its cut-off behind an ``@`` (``spearman``, ``ndcg@10``).
        better: Which values mean a better model. ``neither`` describes a model: a bias is best at zero, and no rank is
            best. ``None`` for a metric that is not registered.
        unit: ``fraction`` is shown times 100; ``number`` is shown as it is.
        statistic: Computes the value from (resampled rows of) a score's items. ``None`` where the value is not a
            statistic of items, so that two models cannot be paired.
        has_gold: Whether the first column of the items is the model's and the others are the data's (gold scores), so
            that those must be equal in two scores of the same task.
    """

    name: str
    better: Literal["higher", "lower", "neither"] | None
    unit: Literal["fraction", "number"] = "fraction"
    statistic: Statistic | None = field(default=None, repr=False, compare=False)
    has_gold: bool = False

    def __str__(self) -> str:
        return self.name

    def is_gain(self, difference: float) -> bool | None:
        """Tell whether a difference from another model is for the better.

        Args:
            difference: The model's value less the other's.

        Returns:
            ``None`` where neither direction is better, or the direction is not known.
        """
        if self.better == "higher":
            return difference > 0
        return difference < 0 if self.better == "lower" else None

    def shown(self, value: float) -> str:
        """Write a value as people read it: a fraction times 100."""
        return f"{100 * value:.2f}" if self.unit == "fraction" else f"{value:.3f}"

    def shown_interval(self, ci95: tuple[float, float] | None) -> str:
        """Write an interval as people read it, ``71.02 to 73.61``; a dash where there is none."""
        return "-" if ci95 is None else f"{self.shown(ci95[0])} to {self.shown(ci95[1])}"


_MEAN, _RANKS, _BIAS = (STATISTICS[name] for name in ("mean", "spearman", "partial_rank_correlation"))

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(name="spearman", better="higher", statistic=_RANKS, has_gold=True),
        Metric(name="accuracy", better="higher", statistic=_MEAN),
        Metric(name="ndcg@10", better="higher", statistic=_MEAN),
        Metric(name="map", better="higher", statistic=_MEAN),
        Metric(name="f1", better="higher", statistic=_MEAN),
        Metric(name="mse", better="lower", statistic=_MEAN),
        Metric(name="same_language_first", better="lower", statistic=_MEAN),
        Metric(name="mixture_loss", better="lower", statistic=STATISTICS["mixture_loss"], has_gold=True),
        Metric(name="alignment", better="lower", unit="number", statistic=_MEAN),
        Metric(name="uniformity", better="lower", unit="number"),
        Metric(name="anisotropy", better="lower"),
        Metric(name="effective_rank", better="neither", unit="number"),
        Metric(name="frequency_bias", better="neither", statistic=_BIAS, has_gold=True),
        Metric(name="length_bias", better="neither", statistic=_BIAS, has_gold=True),
    )
}
"""The headline metric of every suite, by name."""

MEAN_OF_TASKS = Metric(name="mean", better="higher")
"""What the average of several tasks is shown as."""


def metric_named(name: str) -> Metric:
    """Give a metric by its name; one that is not registered (a report of another version) has no direction."""
    return METRICS.get(name) or Metric(name=name, better=None)


def direction_note(metrics: Iterable[Metric]) -> str:
    """Name the metrics whose better values are not the higher ones, as a sentence; empty where there are none."""
    present = {metric.name: metric.better for metric in metrics}
    groups = {
        f"{direction} {verb} better": [name for name, better in present.items() if better == direction]
        for direction, verb in (("lower", "is"), ("neither", "direction is"))
    }
    parts = [f"{', '.join(names)}: {what}" for what, names in groups.items() if names]
    return f"{'; '.join(parts)}." if parts else ""
