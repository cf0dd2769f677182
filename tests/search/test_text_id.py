"""Ids name content and count, not place."""

import hashlib
from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from selfsent.encoding import chunked
from selfsent.search import text_id
from selfsent.search.text_id import TextIds


def ids_of(texts: list[str], *, at_once: int = 7) -> list[str]:
    identify = TextIds()
    return [name for some in chunked(texts, at_once) for name in identify(some)]


def ids_one_by_one(texts: list[str]) -> list[str]:
    """The same ids by their definition, with all texts in a dict."""
    seen: Counter[str] = Counter()
    ids: list[str] = []
    for text in texts:
        content = hashlib.blake2b(text.encode("utf8", "surrogatepass"), digest_size=16).digest()
        count = str(seen[text]).encode()
        ids.append(hashlib.blake2b(content + count, digest_size=16).hexdigest() if seen[text] else content.hex())
        seen[text] += 1
    return ids


@given(st.lists(st.text(max_size=3), max_size=30), st.randoms())
def test_ids_are_distinct_and_the_same_set_in_every_order(texts, rng):
    ids = ids_of(texts)
    assert len(set(ids)) == len(texts)
    shuffled = rng.sample(texts, len(texts))
    assert sorted(zip(texts, ids, strict=True)) == sorted(zip(shuffled, ids_of(shuffled), strict=True))


@given(st.lists(st.text(max_size=1), max_size=40), st.integers(1, 50))
def test_ids_do_not_depend_on_how_many_texts_are_named_at_once(texts, at_once):
    assert ids_of(texts, at_once=at_once) == ids_one_by_one(texts)


def test_ids_are_the_same_while_the_table_of_hashes_grows():
    numbers = np.random.default_rng(0).integers(0, 30_000, size=60_000)  # some 26,000 distinct ones
    texts = [str(number) for number in numbers]
    assert ids_of(texts, at_once=1000) == ids_one_by_one(texts)


def test_ids_of_texts_whose_hashes_fall_into_few_slots_are_the_same(monkeypatch):
    def hash_of_one_slot(content: bytes) -> bytes:
        digest = hashlib.blake2b(content, digest_size=16).digest()
        return b"\0\0\0" + digest[3:]  # the lowest 24 bits are 0

    plain = ids_of([str(number % 300) for number in range(500)])
    monkeypatch.setattr(text_id, "_hash", hash_of_one_slot)
    crowded = ids_of([str(number % 300) for number in range(500)])
    assert [name[6:] for name in crowded[:300]] == [name[6:] for name in plain[:300]]
    assert len(set(crowded)) == 500


def test_ids_are_the_same_in_every_process_and_version():
    assert ids_of(["a", "a"]) == ["27c35e6e9373877f29e562464e46497e", "f24ce542cdce240dd45445c112514337"]
