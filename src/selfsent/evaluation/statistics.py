"""What a score is computed by, and how sure it is: correlations, and bootstrap intervals over their items.

A bootstrap asks for the same statistic of a thousand resamples of the same rows. A resample is fully described by how
often each row was drawn, so a statistic that can work from those counts needs no second sort: the thousand Spearman
correlations of 3,750 pairs take a fraction of a second.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], float]
_CELLS_AT_ONCE = 1_000_000
_CONFIDENCE = 0.95
_NOTHING_LEFT = 1e-9


@runtime_checkable
class CountedStatistic(Protocol):
    """A statistic that also knows its value on resamples, given only how often each row was drawn."""

    name: str

    def __call__(self, items: Floats) -> float:
        """Compute the statistic of ``items``, one row an item."""
        ...

    def of_counts(self, items: Floats, counts: Floats) -> Floats:
        """Compute the statistic of many resamples.

        Args:
            items: One row an item.
            counts: One row a resample, one column an item: how often the item was drawn.

        Returns:
            One value a resample; NaN where it is undefined.
        """
        ...


class _Counted:
    """Turns ``of_counts`` into the plain statistic: every row drawn once."""

    def __call__(self, items: Floats) -> float:
        return float(self.of_counts(items, np.ones((1, len(items))))[0])

    def of_counts(self, items: Floats, counts: Floats) -> Floats:
        raise NotImplementedError


class Mean(_Counted):
    """The mean over items; items of several columns count each cell alike."""

    name = "mean"

    def of_counts(self, items: Floats, counts: Floats) -> Floats:
        """Compute the mean of each resample."""
        return counts @ items.reshape(len(items), -1).mean(axis=1) / counts.sum(axis=1)


class Pearson(_Counted):
    """Pearson's correlation between the first two columns, predicted and gold."""

    name = "pearson"

    def of_counts(self, items: Floats, counts: Floats) -> Floats:
        """Compute the correlation of each resample; NaN where a column is constant."""
        predicted, gold = (np.broadcast_to(column, counts.shape) for column in items[:, :2].T)
        return _correlation(predicted, gold, counts)


class Spearman(_Counted):
    """Spearman's rank correlation between the first two columns, predicted and gold; ties share their average rank."""

    name = "spearman"

    def of_counts(self, items: Floats, counts: Floats) -> Floats:
        """Compute the rank correlation of each resample; NaN where a column is constant."""
        return _correlation(_ranks(items[:, 0], counts), _ranks(items[:, 1], counts), counts)


class SubsetSpearman(_Counted):
    """The mean of the rank correlations of subsets; the third column numbers the subsets.

    Args:
        weighted: Weigh each subset by its number of pairs (``wmean``) instead of alike (``mean``).
    """

    def __init__(self, *, weighted: bool) -> None:
        self.weighted = weighted
        self.name = "subset_spearman_wmean" if weighted else "subset_spearman_mean"

    def of_counts(self, items: Floats, counts: Floats) -> Floats:
        """Compute the mean of each resample; a subset that a resample left without a correlation is left out of it."""
        masks = [items[:, 2] == subset for subset in np.unique(items[:, 2])]
        values = np.stack([Spearman().of_counts(items[mask], counts[:, mask]) for mask in masks])
        weights = np.stack([counts[:, mask].sum(axis=1) if self.weighted else np.ones(len(counts)) for mask in masks])
        weights = np.where(np.isnan(values), 0.0, weights)
        with np.errstate(invalid="ignore"):
            return (np.nan_to_num(values) * weights).sum(axis=0) / weights.sum(axis=0)


class MixtureLoss(_Counted):
    """The mean rank correlation of subsets minus that of all pairs; columns are predicted, gold, number of subset."""

    name = "mixture_loss"

    def of_counts(self, items: Floats, counts: Floats) -> Floats:
        """Compute the loss of each resample."""
        return SubsetSpearman(weighted=False).of_counts(items, counts) - Spearman().of_counts(items, counts)


class PartialRankCorrelation(_Counted):
    """Correlates the ranks of two columns after taking out of both what the ranks of the other columns explain.

    Items are rows of the two variables and any number of controls. The value lies between -1 and 1; it is NaN where
    one of the two variables is constant, or wholly explained by the controls.

    Source: partial correlation from a correlation matrix, applied to Spearman's rank correlations.
    """

    name = "partial_rank_correlation"

    def of_counts(self, items: Floats, counts: Floats) -> Floats:
        """Compute it of each resample."""
        correlations = _rank_correlations(items, counts)
        undefined = np.isnan(correlations[:, 0, 0]) | np.isnan(correlations[:, 1, 1])
        known = np.nan_to_num(correlations)
        pair, across, controls = known[:, :2, :2], known[:, :2, 2:], known[:, 2:, 2:]
        left_over = pair - across @ np.linalg.pinv(controls, hermitian=True) @ across.transpose(0, 2, 1)
        variances = np.maximum(left_over[:, [0, 1], [0, 1]], 0)
        undefined |= (variances < _NOTHING_LEFT).any(axis=1)
        scale = np.sqrt(np.where(undefined, 1.0, variances.prod(axis=1)))
        return np.where(undefined, np.nan, np.clip(left_over[:, 0, 1] / scale, -1.0, 1.0))


STATISTICS: dict[str, CountedStatistic] = {
    statistic.name: statistic
    for statistic in (
        Mean(),
        Pearson(),
        Spearman(),
        SubsetSpearman(weighted=False),
        SubsetSpearman(weighted=True),
        MixtureLoss(),
        PartialRankCorrelation(),
    )
}
"""Every statistic by its name, so that a saved report can be paired with another one."""


def _rank_correlations(items: Floats, counts: Floats) -> Floats:
    """Correlate every two columns on each resample; a constant column gives NaN, on the diagonal too."""
    ranks = [_ranks(column, counts) for column in items.T]
    correlations = np.empty((len(counts), len(ranks), len(ranks)))
    for one, other in combinations_with_replacement(range(len(ranks)), 2):
        value = _correlation(ranks[one], ranks[other], counts)
        correlations[:, one, other] = correlations[:, other, one] = value
    return correlations


def _ranks(values: Floats, counts: Floats) -> Floats:
    """The average rank, from 1, that each value has within each resample, ties included."""
    distinct, code = np.unique(values, return_inverse=True)
    order = np.argsort(code, kind="stable")
    first = np.searchsorted(code[order], np.arange(len(distinct)))
    drawn = np.add.reduceat(counts[:, order], first, axis=1)
    return (np.cumsum(drawn, axis=1) - (drawn - 1) / 2)[:, code]


def _correlation(left: Floats, right: Floats, counts: Floats) -> Floats:
    """Pearson's correlation of each row of ``left`` and ``right``, its columns weighted by ``counts``."""
    total = counts.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        left = left - (counts * left).sum(axis=1, keepdims=True) / total
        right = right - (counts * right).sum(axis=1, keepdims=True) / total
        weighted = counts * left
        covariance = (weighted * right).sum(axis=1)
        scale = np.sqrt((weighted * left).sum(axis=1) * (counts * right * right).sum(axis=1))
        return np.where(scale > 0, np.clip(covariance / scale, -1.0, 1.0), np.nan)


def _resamples(num_items: int, num_resamples: int, seed: int) -> Generator[Floats]:
    """Draw resamples with replacement, a manageable number at a time, as counts of each item."""
    generator = np.random.default_rng(seed)
    at_once = max(1, _CELLS_AT_ONCE // num_items)
    for start in range(0, num_resamples, at_once):
        num_rows = min(at_once, num_resamples - start)
        drawn = generator.integers(num_items, size=(num_rows, num_items))
        drawn += np.arange(num_rows)[:, None] * num_items
        yield np.bincount(drawn.ravel(), minlength=num_rows * num_items).reshape(num_rows, num_items).astype(np.float64)


def _values(items: Floats, statistic: Statistic, counts: Floats) -> Floats:
    if isinstance(statistic, CountedStatistic):
        return statistic.of_counts(items, counts)
    rows = (np.repeat(np.arange(len(items)), row.astype(np.int64)) for row in counts)
    return np.array([statistic(items[row]) for row in rows])


def bootstrap_values(
    items: Floats, statistic: Callable[[Floats], float], *, num_resamples: int = 1000, seed: int = 0
) -> Floats:
    """Compute a statistic on resamples, with replacement, of its items.

    Args:
        items: One row an item (a pair, a query), at least one.
        statistic: What to compute; those of ``STATISTICS`` are fast, any other function of ``items`` is called in a
            loop.
        num_resamples: How many resamples.
        seed: Of the resampling; equal seeds draw equal rows for any items of the same number.

    Returns:
        One value a resample; NaN where the statistic is undefined.
    """
    chunks = _resamples(len(items), num_resamples, seed)
    return np.concatenate([_values(items, statistic, counts) for counts in chunks])


def interval(values: Floats) -> tuple[float, float] | None:
    """Give the central 95% of bootstrap values.

    Args:
        values: Statistics of resamples; undefined ones (NaN) are left out.

    Returns:
        ``(low, high)``, or ``None`` if half of the values or more are undefined.
    """
    defined = values[~np.isnan(values)]
    if 2 * len(defined) <= len(values):
        return None
    low, high = np.quantile(defined, [(1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2])
    return float(low), float(high)


def bootstrap_interval(
    items: Floats, statistic: Callable[[Floats], float], *, num_resamples: int = 1000, seed: int = 0
) -> tuple[float, float] | None:
    """Give the 95% percentile bootstrap interval of a statistic over its items.

    Args:
        items: One row an item (a pair, a query).
        statistic: What to compute, see ``bootstrap_values``.
        num_resamples: How many resamples.
        seed: Of the resampling.

    Returns:
        ``(low, high)``, or ``None`` if the statistic is undefined on half of the resamples or more, or there are fewer
        than two items.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13, the percentile interval.
    """
    if len(items) < 2:  # noqa: PLR2004 one item says nothing about spread
        return None
    return interval(bootstrap_values(items, statistic, num_resamples=num_resamples, seed=seed))


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """How much better one model is than another on the same items.

    Args:
        difference: Value of the first less value of the second, as a fraction.
        ci95: 95% bootstrap interval of the difference; ``None`` where it is undefined, and for a single item.
        p_value: Two-sided bootstrap p-value of "no difference".
    """

    difference: float
    ci95: tuple[float, float] | None
    p_value: float


def paired_bootstrap(
    items_a: Floats,
    items_b: Floats,
    statistic: Callable[[Floats], float],
    *,
    num_resamples: int = 1000,
    seed: int = 0,
) -> PairedDifference:
    """Compare two models on the same items: both are scored on the same resamples.

    Args:
        items_a: Outcomes of the first model, one row an item.
        items_b: Outcomes of the second, the same items in the same order.
        statistic: What to compute of each, see ``bootstrap_values``.
        num_resamples: How many resamples; the p-value is no smaller than ``2 / (num_resamples + 1)``.
        seed: Of the resampling.

    Returns:
        The difference (first less second) with its interval and p-value.

    Raises:
        ValueError: The two do not have equally many items.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 16; the p-value counts the resamples
        on either side of zero, one added to each count so that it is never 0.
    """
    if len(items_a) != len(items_b):
        raise ValueError(f"cannot pair {len(items_a)} items with {len(items_b)}: score both models on the same data")
    values_a = bootstrap_values(items_a, statistic, num_resamples=num_resamples, seed=seed)
    values_b = bootstrap_values(items_b, statistic, num_resamples=num_resamples, seed=seed)
    differences = values_a - values_b
    defined = differences[~np.isnan(differences)]
    smaller_tail = min(np.count_nonzero(defined <= 0), np.count_nonzero(defined >= 0))
    return PairedDifference(
        difference=float(statistic(items_a)) - float(statistic(items_b)),
        ci95=interval(differences) if len(items_a) > 1 else None,
        p_value=float(min(1.0, 2 * (smaller_tail + 1) / (len(defined) + 1))),
    )
