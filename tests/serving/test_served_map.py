"""The map: all passages, those beyond the ones laid out beside their nearest, kept for the next start."""

import json
import time

import numpy as np
import pytest
from tests.search.made_store import made_store

from selfsent.search.store import Store
from selfsent.serving import served_map
from selfsent.serving.served_map import ServedMap, map_of


def wait_for_content(one, seconds=60):
    deadline = time.monotonic() + seconds
    while (content := one.content()) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return json.loads(content)


@pytest.fixture
def store(tmp_path):
    rows = [
        {
            "text": f"{kind} number {number}",
            "document": f"{kind}{number}",
            "start": 0,
            "end": 12,
            "degrees": at + number / 20,
        }
        for kind, at in (("cat", 0.0), ("dog", 120.0))
        for number in range(40)
    ]
    return made_store(tmp_path / "store", rows)


def test_all_passages_are_on_it_and_alike_ones_are_near(store, monkeypatch):
    monkeypatch.setattr(served_map, "_LAID_OUT", 30)
    found = map_of(store)
    places = np.column_stack([found["x"], found["y"]])
    is_cat = np.array([name.startswith("cat") for name in found["document"]])
    assert (len(places), found["passages"], is_cat.sum()) == (80, 80, 40)
    middles = places[is_cat].mean(axis=0), places[~is_cat].mean(axis=0)
    for own, other, mask in ((*middles, is_cat), (*middles[::-1], ~is_cat)):
        nearer = np.linalg.norm(places[mask] - own, axis=1) < np.linalg.norm(places[mask] - other, axis=1)
        assert nearer.all()
    groups = {
        kind: {group for group, cat in zip(found["group"], is_cat, strict=True) if cat is kind}
        for kind in (True, False)
    }
    assert not groups[True] & groups[False]


def test_it_is_computed_once_and_kept_with_the_store(store, monkeypatch):
    first = wait_for_content(ServedMap(store.uri))
    monkeypatch.setattr(served_map, "map_of", lambda _store: pytest.fail("computed again"))
    assert json.loads(ServedMap(store.uri).content()) == first
    assert Store.open(store.uri).version == store.version


def test_a_later_version_gets_its_own_and_the_earlier_one_is_shown_meanwhile(store):
    one = ServedMap(store.uri)
    first = wait_for_content(one)
    store.table.delete("document = 'cat0'")
    assert json.loads(one.content()) == first
    deadline = time.monotonic() + 60
    while json.loads(one.content()) == first and time.monotonic() < deadline:
        time.sleep(0.05)
    assert json.loads(one.content())["passages"] == 79


def test_a_damaged_file_is_computed_again(store, tmp_path):
    wait_for_content(ServedMap(store.uri))
    (tmp_path / "store" / ".map.json").write_text("{", "utf8")
    assert wait_for_content(ServedMap(store.uri))["passages"] == 80


def test_an_empty_store_has_an_empty_map(store):
    store.table.delete("true")
    assert wait_for_content(ServedMap(store.uri))["x"] == []
