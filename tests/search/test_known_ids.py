"""A set of ids in 16 bytes each answers as a set does."""

import hashlib

from selfsent.search.known_ids import KnownIds


def ids(first: int, last: int) -> list[str]:
    return [hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest() for number in range(first, last)]


def test_it_holds_its_ids_and_no_others():
    known = KnownIds([*ids(0, 500), "an id of an earlier version"])
    assert known.holds(ids(400, 600)) == [True] * 100 + [False] * 100


def test_ids_that_end_with_zeros_are_told_apart():
    zeros = ["ab" + "00" * 15, "ab01" + "00" * 14, "00" * 16]
    assert KnownIds(zeros[:1]).holds(zeros) == [True, False, False]
    assert KnownIds(zeros).holds(zeros) == [True, True, True]


def test_an_empty_set_holds_nothing():
    assert KnownIds([]).holds(ids(0, 3)) == [False] * 3
