import numpy as np
import pytest
from scipy.spatial.distance import pdist
from sklearn.metrics.pairwise import cosine_similarity

from selfsent.evaluation.vector_space import (
    alignment,
    anisotropy,
    effective_rank,
    jackknife_interval,
    squared_distances,
    uniformity,
)


@pytest.fixture
def cloud() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((60, 7)) + 0.3


def test_alignment_of_right_angles_is_two_and_of_equal_directions_zero():
    u, v = np.array([[2.0, 0.0], [3.0, 3.0]]), np.array([[0.0, 5.0], [1.0, 1.0]])
    np.testing.assert_allclose(squared_distances(u, v), [2.0, 0.0], atol=1e-12)
    assert alignment(u, v) == pytest.approx(1.0)


def test_uniformity_is_the_log_of_the_mean_potential_over_all_pairs(cloud: np.ndarray):
    unit = cloud / np.linalg.norm(cloud, axis=1, keepdims=True)
    assert uniformity(cloud) == pytest.approx(np.log(np.exp(-2 * pdist(unit, "sqeuclidean")).mean()))


def test_uniformity_of_opposite_points_is_minus_eight():
    assert uniformity(np.array([[1.0, 0.0], [-4.0, 0.0]])) == pytest.approx(-8.0)


def test_uniformity_does_not_depend_on_how_rows_are_chunked(cloud: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    whole = uniformity(cloud)
    monkeypatch.setattr("selfsent.evaluation.vector_space._CHUNK_ROWS", 7)
    assert uniformity(cloud) == pytest.approx(whole, rel=1e-12)


def test_anisotropy_is_the_mean_cosine_of_distinct_sentences(cloud: np.ndarray):
    cosines = cosine_similarity(cloud)
    assert anisotropy(cloud) == pytest.approx(cosines[np.triu_indices(len(cloud), 1)].mean())


def test_float32_vectors_give_the_figures_of_float64(cloud: np.ndarray):
    narrow = cloud.astype(np.float32)
    for measure in (uniformity, anisotropy, effective_rank):
        assert measure(narrow) == pytest.approx(measure(cloud), rel=1e-5)


def test_effective_rank_counts_equally_used_directions():
    corners = np.array([[1.0, 0, 0, 0], [-1, 0, 0, 0], [0, 1, 0, 0], [0, -1, 0, 0], [0, 0, 1, 0], [0, 0, -1, 0]])
    assert effective_rank(corners) == pytest.approx(3.0)
    assert effective_rank(10 * corners[:2]) == pytest.approx(1.0)


def test_effective_rank_of_unequal_directions_follows_the_entropy():
    # Singular values sqrt(8) and sqrt(2): shares 2/3 and 1/3, so exp(H) = 3 / 2^(2/3).
    points = np.array([[1.0, 0.0]] * 4 + [[-1.0, 0.0]] * 4 + [[0.0, 1.0], [0.0, -1.0]])
    assert effective_rank(points) == pytest.approx(3 / 2 ** (2 / 3))


def test_effective_rank_of_one_repeated_vector_is_zero():
    assert effective_rank(np.tile([[0.3, -0.2, 0.9]], (5, 1))) == 0.0


def test_the_jackknife_of_a_mean_is_the_textbook_interval():
    values = np.random.default_rng(1).standard_normal((20, 1))
    low, high = jackknife_interval(values, lambda rows: float(rows.mean()), num_groups=20)
    reach = 2.093024 * values.std(ddof=1) / np.sqrt(20)  # Student's t, 19 degrees of freedom
    assert (low, high) == pytest.approx((values.mean() - reach, values.mean() + reach), rel=1e-5)
