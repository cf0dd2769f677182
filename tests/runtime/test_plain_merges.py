"""The plain merging of one sentence is that of the compiled loops, or says that rounding might decide."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from selfsent.kernels.greedy_merges import merge_greedily
from selfsent.kernels.small_products import widened
from selfsent.runtime.plain_merges import merge_one


def compiled(leaves: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merge one sentence by the compiled loops."""
    weight_t = widened(np.ascontiguousarray(weight.T))
    return merge_greedily(leaves, np.array([len(leaves)]), weight_t, widened(bias))


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 30), min_size=1, max_size=40), st.sampled_from([1, 4, 10]))
def test_trees_and_embeddings_are_those_of_the_compiled_loops(seed: int, ids: list[int], size: int) -> None:
    generator = np.random.default_rng(seed)
    table = generator.normal(size=(31, 4 * size)).astype(np.float32)
    weight = generator.uniform(-1, 1, (size, 2 * size)).astype(np.float32)
    bias = generator.uniform(-1, 1, size).astype(np.float32)
    merged = merge_one(table[ids], weight, bias)
    if merged is None:
        return
    left, right, up = compiled(table[ids], weight, bias)
    assert merged[0].tolist() == left.tolist()
    assert merged[1].tolist() == right.tolist()
    assert np.allclose(merged[2], up, rtol=0, atol=1e-6 * max(1, np.abs(up).max()))


def test_almost_all_drawn_sentences_are_decided() -> None:
    generator = np.random.default_rng(0)
    weight, bias = np.tile(np.eye(4, dtype=np.float32), 2), np.zeros(4, np.float32)
    sentences = [generator.normal(size=(10, 40)).astype(np.float32) for _ in range(200)]
    assert sum(merge_one(leaves, weight, bias) is None for leaves in sentences) <= 4


def test_the_first_of_equal_pairs_is_merged() -> None:
    leaves = np.tile(np.array([[1.0, 2.0]], np.float32), (3, 1))
    merged = merge_one(leaves, np.tile(np.eye(1, dtype=np.float32), 2), np.zeros(1, np.float32))
    assert merged is not None
    assert (merged[0].tolist(), merged[1].tolist()) == ([0, 3], [1, 2])
    assert merged[2][-1].tolist() == [3.0, 6.0]


def test_what_rounding_might_decide_is_left_to_the_compiled_loops() -> None:
    weight, bias = np.tile(np.eye(1, dtype=np.float32), 2), np.zeros(1, np.float32)
    twice_two = np.array([[0.1, 0.7], [0.1, 0.7], [0.3, -0.2], [0.3, -0.2]], np.float32)
    assert merge_one(twice_two, weight, bias) is None
    assert merge_one(np.array([[1.0, np.nan], [1.0, 2.0]], np.float32), weight, bias) is None
