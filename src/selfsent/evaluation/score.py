"""What one measurement is: a value with its interval, and the per-item outcomes that pair it with another model's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Statistic = Callable[[NDArray[np.float64]], float]


@dataclass(frozen=True, kw_only=True)
class Score:
    """One metric of one task.

    Args:
        task: Name of the task, the name of its data folder (``STS12``, ``STSBenchmarkMultilingual/de``).
        metric: Name of the headline metric in snake case, with its cut-off behind an ``@`` (``spearman``, ``ndcg@10``).
        value: The metric as a fraction (0.7237, never 72.37).
        ci95: 95% bootstrap interval over the items, ``(low, high)``; ``None`` where no resampling makes sense.
        num_items: How many items (pairs, queries, sentences) were scored.
        also: Further metrics of the same items, and counts worth reporting (``{"pearson": 0.71}``).
        items: Per-item outcomes, one row an item in the data's own order: what a paired comparison resamples
            (for STS two columns, predicted and gold; for retrieval the query's own nDCG).
        statistic: Computes ``value`` from (resampled rows of) ``items``.
    """

    task: str
    metric: str
    value: float
    ci95: tuple[float, float] | None
    num_items: int
    also: Mapping[str, float | int | str] = field(default_factory=dict[str, float | int | str])
    items: NDArray[np.float64] | None = field(default=None, repr=False, compare=False)
    statistic: Statistic | None = field(default=None, repr=False, compare=False)
