"""Ids in arrays answer as sets and dicts of strings do."""

import hashlib
import random

import pytest

from selfsent.search import known_ids
from selfsent.search.known_ids import KnownIds, RowOwners

OLD = "an id of an earlier version"


def ids(first: int, last: int) -> list[str]:
    return [hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest() for number in range(first, last)]


def test_it_holds_its_ids_and_no_others():
    known = KnownIds([*ids(0, 500), OLD])
    assert known.holds(ids(400, 600)) == [True] * 100 + [False] * 100


def test_ids_that_end_with_zeros_are_told_apart():
    zeros = ["ab" + "00" * 15, "ab01" + "00" * 14, "00" * 16]
    assert KnownIds(zeros[:1]).holds(zeros) == [True, False, False]
    assert KnownIds(zeros).holds(zeros) == [True, True, True]


def test_an_empty_set_holds_nothing():
    assert KnownIds([]).holds(ids(0, 3)) == [False] * 3


def test_ids_that_were_not_met_remain():
    known = KnownIds([*ids(0, 9), "00" * 16])
    known.meet([*ids(2, 20), "00" * 16])
    assert set(known.unmet()) == set(ids(0, 2))


def test_rows_and_their_owners_are_those_of_a_dict(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(known_ids, "_FEWEST_RECENT", 7)
    draw, owners, expected = random.Random(0), RowOwners(), dict[str, str | None]()
    names = [*ids(0, 300), "00" * 16, "ab" + "00" * 15, OLD]
    for _ in range(300):
        some = draw.choices(names, k=draw.randrange(12))
        if draw.random() < 0.3:
            owners.remove(some)
            for name in some:
                expected.pop(name, None)
        else:
            sources = draw.choices([None, "1", "2", "1,2", "12"], k=len(some))
            is_new = [name not in expected and name not in some[:place] for place, name in enumerate(some)]
            assert owners.add(some, sources) == is_new
            expected.update(zip(some, sources, strict=True))
        assert len(owners) == len(expected)
        assert owners.holds(names) == [name in expected for name in names]
        assert owners.of(names) == [expected.get(name) for name in names]
        assert sorted(owners) == sorted(expected)
        assert sorted(owners.ids_of("1")) == sorted(n for n, held in expected.items() if "1" in (held or "").split(","))


def test_the_rows_of_others_are_taken_over(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(known_ids, "_PACKED_AT_ONCE", 10)
    owners, others = RowOwners(), RowOwners()
    owners.add(ids(0, 50), ["1"] * 50)
    others.add(ids(40, 90), ["2"] * 50)
    owners.add_all(others)
    assert owners.of(ids(0, 91)) == ["1"] * 40 + ["2"] * 50 + [None]
