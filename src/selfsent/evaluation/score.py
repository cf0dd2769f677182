"""What one measurement is: a value with its interval, and the per-item outcomes that pair it with another model's."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from selfsent.evaluation.metrics import Metric


@dataclass(frozen=True, kw_only=True)
class Score:
    """One metric of one task.

    Args:
        task: Name of the task, the name of its data folder (``STS12``, ``STSBenchmarkMultilingual/de``).
        metric: The headline metric, one of ``selfsent.evaluation.metrics.METRICS`` or a metric of one's own.
        value: The metric as a fraction (0.7237, never 72.37).
        ci95: 95% bootstrap interval over the items, ``(low, high)``; ``None`` where no resampling makes sense.
        num_items: How many items (pairs, queries, sentences) were scored.
        also: Further metrics of the same items, and counts worth reporting (``{"pearson": 0.71}``).
        items: Per-item outcomes, one row an item in the data's own order: what a paired comparison resamples
            (for STS two columns, predicted and gold; for retrieval the query's own nDCG). ``metric.statistic`` of them
            is ``value``.
    """

    task: str
    metric: Metric
    value: float
    ci95: tuple[float, float] | None
    num_items: int
    also: Mapping[str, float | int | str] = field(default_factory=dict[str, float | int | str])
    items: NDArray[np.float64] | None = field(default=None, repr=False, compare=False)

    def shown(self) -> str:
        """Write the value as people read it."""
        return self.metric.shown(self.value)

    def shown_interval(self) -> str:
        """Write the interval as people read it; a dash where there is none."""
        return self.metric.shown_interval(self.ci95)
