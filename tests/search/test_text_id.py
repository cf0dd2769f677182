"""Ids name content and count, not place."""

from hypothesis import given
from hypothesis import strategies as st

from selfsent.search.text_id import TextIds


def ids_of(texts: list[str]) -> list[str]:
    identify = TextIds()
    return [identify(text) for text in texts]


@given(st.lists(st.text(max_size=3), max_size=30), st.randoms())
def test_ids_are_distinct_and_the_same_set_in_every_order(texts, rng):
    ids = ids_of(texts)
    assert len(set(ids)) == len(texts)
    shuffled = rng.sample(texts, len(texts))
    assert sorted(zip(texts, ids, strict=True)) == sorted(zip(shuffled, ids_of(shuffled), strict=True))


def test_ids_are_the_same_in_every_process_and_version():
    assert ids_of(["a", "a"]) == ["27c35e6e9373877f29e562464e46497e", "f24ce542cdce240dd45445c112514337"]
