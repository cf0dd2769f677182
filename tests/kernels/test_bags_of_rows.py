"""Sums of rows and sparse Adam against torch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from selfsent.kernels.bags_of_rows import AdamSettings, Bags, SparseAdam, sums_of_rows


def drawn(seed: int, *, num_rows: int = 30, num_texts: int = 6, longest: int = 9) -> Bags:
    random = np.random.default_rng(seed)
    lengths = random.integers(0, longest, num_texts)
    lengths[0] = 2
    weights = random.random(lengths.sum()).astype(np.float32) * (random.random(lengths.sum()) > 0.2)
    return Bags(
        tokens=random.integers(0, num_rows, lengths.sum()),
        weights=weights.astype(np.float32),
        starts=np.concatenate([[0], np.cumsum(lengths)]),
    )


def table_of(seed: int, num_rows: int = 30, width: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(num_rows, width)).astype(np.float32)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_sums_equal_those_of_torch(seed: int):
    bags, table = drawn(seed), table_of(seed)
    expected = torch.nn.functional.embedding_bag(
        torch.from_numpy(bags.tokens),
        torch.from_numpy(table),
        torch.from_numpy(bags.starts[:-1]),
        mode="sum",
        per_sample_weights=torch.from_numpy(bags.weights),
    )
    assert np.allclose(sums_of_rows(table, bags), expected.numpy(), atol=1e-5)


def test_a_text_without_tokens_has_a_sum_of_zero():
    bags = Bags(tokens=np.zeros(0, dtype=np.int64), weights=np.zeros(0, dtype=np.float32), starts=np.array([0, 0]))
    assert sums_of_rows(table_of(0), bags).tolist() == [[0.0] * 5]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_steps_on_rows_that_are_always_touched_are_those_of_torch(seed: int):
    num_rows = 8
    bags, table = drawn(seed, num_rows=num_rows, num_texts=4), table_of(seed, num_rows)
    everything = np.arange(num_rows)  # every row is touched, so that both see the same gradients
    bags = Bags(
        tokens=np.concatenate([everything, bags.tokens]),
        weights=np.concatenate([np.ones(num_rows, dtype=np.float32), bags.weights]),
        starts=np.concatenate([[0], bags.starts + num_rows]),
    )
    leaf = torch.from_numpy(table.copy()).requires_grad_()
    theirs = torch.optim.Adam([leaf], lr=0.01)
    ours = SparseAdam(table, AdamSettings())
    gradients = np.random.default_rng(seed).normal(size=(3, len(bags), 5)).astype(np.float32)
    for gradient in gradients:
        theirs.zero_grad()
        sums = torch.nn.functional.embedding_bag(
            torch.from_numpy(bags.tokens),
            leaf,
            torch.from_numpy(bags.starts[:-1]),
            mode="sum",
            per_sample_weights=torch.from_numpy(bags.weights),
        )
        (sums * torch.from_numpy(gradient)).sum().backward()
        theirs.step()
        ours.step(bags, gradient, rate=0.01)
    assert np.allclose(ours.table, leaf.detach().numpy(), atol=2e-6)


def test_rows_that_no_token_names_stay_as_they_are():
    table = table_of(1)
    before = table.copy()
    bags = drawn(1)
    SparseAdam(table, AdamSettings()).step(bags, np.ones((len(bags), 5), dtype=np.float32), rate=0.1)
    untouched = np.setdiff1d(np.arange(len(table)), bags.tokens)
    assert len(untouched)
    assert np.array_equal(table[untouched], before[untouched])
    moved = np.unique(bags.tokens[bags.weights != 0])
    assert (table[moved] != before[moved]).any(axis=1).all()


@pytest.mark.parametrize("num_threads", [1, 2])
def test_the_number_of_threads_changes_nothing(num_threads: int):
    import numba

    bags, table = drawn(3, num_texts=40, longest=30), table_of(3)
    gradient = np.random.default_rng(0).normal(size=(len(bags), 5)).astype(np.float32)
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(min(num_threads, numba.config.NUMBA_NUM_THREADS))
        adam = SparseAdam(table.copy(), AdamSettings())
        adam.step(bags, gradient, rate=0.1)
        sums = sums_of_rows(adam.table, bags)
    finally:
        numba.set_num_threads(before)
    adam_alone = SparseAdam(table.copy(), AdamSettings())
    adam_alone.step(bags, gradient, rate=0.1)
    assert np.array_equal(sums, sums_of_rows(adam_alone.table, bags))
