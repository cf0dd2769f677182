"""Correlations against scipy, bootstrap intervals against plain resampling."""

import numpy as np
import pytest
from scipy import stats

from selfsent.evaluation.statistics import (
    STATISTICS,
    Mean,
    PartialRankCorrelation,
    Pearson,
    Spearman,
    SubsetSpearman,
    bootstrap_interval,
    bootstrap_values,
    interval,
    paired_bootstrap,
)


def tied_items(num_items: int = 60, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    gold = generator.integers(0, 6, num_items)
    predicted = np.round(gold + generator.normal(0, 2, num_items))
    return np.column_stack([predicted, gold]).astype(np.float64)


def resampled_rows(num_items: int, num_resamples: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(num_items, size=(num_resamples, num_items))


@pytest.mark.parametrize("seed", range(5))
def test_correlations_equal_scipy_on_arrays_with_ties(seed):
    items = tied_items(seed=seed)
    assert Spearman()(items) == pytest.approx(stats.spearmanr(*items.T).statistic, abs=1e-12)
    assert Pearson()(items) == pytest.approx(stats.pearsonr(*items.T).statistic, abs=1e-12)


def test_spearman_of_a_worked_example():
    # Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: covariance 4.5, variances 4.5 and 5.
    items = np.array([[10.0, 1.0], [20.0, 2.0], [20.0, 3.0], [30.0, 4.0]])
    assert Spearman()(items) == pytest.approx(4.5 / np.sqrt(4.5 * 5.0))


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("spearman", lambda rows: stats.spearmanr(rows[:, 0], rows[:, 1]).statistic),
        ("pearson", lambda rows: stats.pearsonr(rows[:, 0], rows[:, 1]).statistic),
        ("mean", lambda rows: rows.mean()),
    ],
)
def test_resampling_by_counts_equals_resampling_the_rows(name, reference):
    items = tied_items()
    expected = [reference(items[rows]) for rows in resampled_rows(len(items), 30, seed=3)]
    assert bootstrap_values(items, STATISTICS[name], num_resamples=30, seed=3) == pytest.approx(expected, abs=1e-12)


def test_a_statistic_that_knows_no_counts_gets_the_same_interval():
    items = tied_items()
    slow = bootstrap_interval(items, lambda rows: float(stats.spearmanr(*rows.T).statistic), num_resamples=50)
    assert bootstrap_interval(items, Spearman(), num_resamples=50) == pytest.approx(slow)


def test_the_mean_of_subsets_is_plain_and_the_weighted_one_counts_pairs():
    items = np.column_stack([tied_items(), np.repeat([0, 1, 2], [10, 20, 30])])
    by_subset = [stats.spearmanr(*items[items[:, 2] == subset, :2].T).statistic for subset in range(3)]
    assert SubsetSpearman(weighted=False)(items) == pytest.approx(np.mean(by_subset))
    assert SubsetSpearman(weighted=True)(items) == pytest.approx(np.average(by_subset, weights=[10, 20, 30]))


def partial_by_regression(columns: np.ndarray) -> float:
    """The textbook way: regress the ranks of both variables on those of the controls, correlate what is left."""
    ranks = stats.rankdata(columns, axis=0)
    design = np.column_stack([np.ones(len(ranks)), ranks[:, 2:]])
    left_over = [side - design @ np.linalg.lstsq(design, side, rcond=None)[0] for side in ranks[:, :2].T]
    return float(np.corrcoef(*left_over)[0, 1])


@pytest.fixture
def tied_columns() -> np.ndarray:
    generator = np.random.default_rng(0)
    controls = generator.integers(0, 6, (80, 2)).astype(float)
    return np.column_stack(
        [controls @ [1.0, 0.5] + generator.integers(0, 4, (2, 80)).T[:, i] for i in (0, 1)] + [controls]
    )


def test_the_partial_rank_correlation_equals_regression_on_ranks_with_ties(tied_columns: np.ndarray):
    assert PartialRankCorrelation()(tied_columns) == pytest.approx(partial_by_regression(tied_columns), abs=1e-12)


def test_resampling_it_by_counts_equals_resampling_the_rows(tied_columns: np.ndarray):
    fast = bootstrap_values(tied_columns, PartialRankCorrelation(), num_resamples=20)
    slow = bootstrap_values(tied_columns, partial_by_regression, num_resamples=20)
    np.testing.assert_allclose(fast, slow, atol=1e-10)


def test_a_constant_control_takes_nothing_out(tied_columns: np.ndarray):
    padded = np.column_stack([tied_columns, np.ones(len(tied_columns))])
    assert PartialRankCorrelation()(padded) == pytest.approx(PartialRankCorrelation()(tied_columns))


@pytest.mark.parametrize("column", ["constant", "explained by the control"])
def test_nothing_left_to_correlate_is_undefined(column: str, tied_columns: np.ndarray):
    tied_columns[:, 0] = 1.0 if column == "constant" else 3 * tied_columns[:, 2] + 1
    assert np.isnan(PartialRankCorrelation()(tied_columns))


def test_the_interval_of_a_mean_is_near_the_normal_one():
    items = np.random.default_rng(1).normal(size=(2000, 1))
    low, high = bootstrap_interval(items, Mean(), num_resamples=2000)
    error = 1.96 * items.std() / np.sqrt(len(items))
    assert (low, high) == pytest.approx((items.mean() - error, items.mean() + error), abs=0.1 * error)


def test_equal_seeds_give_equal_intervals_and_chunking_changes_nothing(monkeypatch):
    items = tied_items()
    whole = bootstrap_interval(items, Spearman(), seed=7)
    monkeypatch.setattr("selfsent.evaluation.statistics._CELLS_AT_ONCE", 130)
    assert bootstrap_interval(items, Spearman(), seed=7) == pytest.approx(whole)
    assert bootstrap_interval(items, Spearman(), seed=8) != pytest.approx(whole)


def test_constant_columns_have_no_correlation_and_no_interval():
    items = np.column_stack([np.ones(10), np.arange(10.0)])
    assert np.isnan(Spearman()(items))
    assert bootstrap_interval(items, Spearman()) is None


def test_one_item_has_no_interval():
    assert bootstrap_interval(np.ones((1, 1)), Mean()) is None


def test_undefined_resamples_are_left_out_of_an_interval():
    assert interval(np.array([1.0, 1.0, 1.0, np.nan])) == (1.0, 1.0)


def test_a_model_against_itself_differs_by_nothing():
    paired = paired_bootstrap(tied_items(), tied_items(), Spearman())
    assert (paired.difference, paired.ci95, paired.p_value) == (0.0, (0.0, 0.0), 1.0)


def test_the_paired_interval_is_narrower_than_that_of_independent_samples_where_errors_are_shared():
    generator = np.random.default_rng(0)
    shared = generator.normal(size=(400, 1))
    better, worse = shared + 0.1 + 0.05 * generator.normal(size=(400, 1)), shared
    paired = paired_bootstrap(better, worse, Mean())
    assert paired.difference == pytest.approx(float((better - worse).mean()))
    assert paired.ci95[0] > 0
    assert paired.p_value == pytest.approx(2 / 1001)
    alone = bootstrap_interval(better, Mean())
    assert paired.ci95[1] - paired.ci95[0] < (alone[1] - alone[0]) / 2


def test_the_paired_difference_changes_sign_with_the_order_of_the_models():
    first, second = tied_items(seed=0), tied_items(seed=1)
    forward, backward = paired_bootstrap(first, second, Pearson()), paired_bootstrap(second, first, Pearson())
    assert backward.difference == pytest.approx(-forward.difference)
    assert backward.ci95 == pytest.approx((-forward.ci95[1], -forward.ci95[0]))
    assert backward.p_value == forward.p_value


def test_different_numbers_of_items_cannot_be_paired():
    with pytest.raises(ValueError, match="60 items with 59"):
        paired_bootstrap(tied_items(60), tied_items(59), Spearman())


def test_a_single_item_has_a_difference_but_no_interval():
    one = paired_bootstrap(np.array([[1.0]]), np.array([[0.5]]), Mean())
    assert (one.difference, one.ci95) == (0.5, None)
