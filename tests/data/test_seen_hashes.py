"""A set of hashes in an array does what Python's set does."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from selfsent.data.seen_hashes import SeenHashes

HASHES = st.lists(st.integers(0, 2**64 - 1) | st.integers(1, 9) | st.integers(1, 9).map(lambda n: n << 40), max_size=60)


def added(batches: list[list[int]]) -> list[bool]:
    seen = SeenHashes()
    return [bool(new) for batch in batches for new in seen.add(np.array(batch, dtype=np.uint64))]


def added_to_a_set(hashes: list[int]) -> list[bool]:
    return [max(value, 1) not in {max(other, 1) for other in hashes[:place]} for place, value in enumerate(hashes)]


@given(st.lists(HASHES, max_size=4))
def test_each_hash_is_new_once_whatever_stands_in_its_slot(batches):
    assert added(batches) == added_to_a_set([value for batch in batches for value in batch])


@given(HASHES)
def test_one_by_one_is_the_same(hashes):
    seen = SeenHashes()
    assert [seen.add_one(value) for value in hashes] == added_to_a_set(hashes)


def test_nothing_is_forgotten_while_the_array_grows():
    hashes = np.random.default_rng(0).integers(1, 2**64, size=50_000, dtype=np.uint64)
    seen = SeenHashes()
    assert all(seen.add(part).all() for part in np.split(hashes, 100))
    assert not seen.add(hashes).any()
    assert not any(seen.add_one(int(value)) for value in hashes[:100])
    assert seen.add(hashes ^ np.uint64(1 << 63)).all()
