"""Places of passages, kept as hashes, are told apart as the places themselves are."""

import hashlib
from typing import Any

from selfsent.search.stored_places import StoredPlaces


def row(document: str, text: str, start: int | None = 0) -> dict[str, Any]:
    name = hashlib.blake2b(f"{document}{text}".encode(), digest_size=16).hexdigest()
    return {"id": name, "document": document, "start": start}


def places_of(rows: list[dict[str, Any]]) -> StoredPlaces:
    return StoredPlaces(rows, lambda one: (one["start"],))


def test_each_document_has_its_passages_with_the_hash_of_their_places():
    rows = [row(f"d{number}", text, start) for start, text in enumerate("abc") for number in range(100)]
    places = places_of(rows)
    found = places.meet(["d7", "elsewhere", "d99"])
    assert found[1] is None
    assert found[0] == {one["id"]: places.hash_of(one) for one in rows if one["document"] == "d7"}
    assert found[2] == {one["id"]: places.hash_of(one) for one in rows if one["document"] == "d99"}


def test_a_passage_that_stands_elsewhere_has_another_hash():
    before, after, nowhere = row("d", "a", 1), row("d", "a", 2), row("d", "a", None)
    places = places_of([before])
    assert len({places.hash_of(one) for one in (before, after, nowhere)}) == 3
    assert places.hash_of(row("d", "a", 1)) == places.hash_of(before)


def test_documents_that_were_not_met_have_vanished():
    places = places_of([row("a", "x"), row("a", "y"), row("b", "x"), row("c", "x")])
    places.meet(["b", "new"])
    assert places.num_vanished() == 2
    assert places.have_vanished(["c", "b", "a", "new", "zz"]) == [True, False, True, False, False]


def test_an_empty_store_has_no_places():
    places = places_of([])
    assert places.meet(["a"]) == [None]
    assert places.have_vanished(["a"]) == [False]
    assert places.num_vanished() == 0


def test_rows_of_the_first_versions_are_passed_over():
    old = {"id": "an id of an earlier version", "document": "a", "start": 0}
    assert places_of([old, row("b", "x")]).meet(["a", "b"])[0] is None
