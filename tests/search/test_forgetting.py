"""Removing documents, seen from Python (tests of the command are in test_kept_versions)."""

from pathlib import Path

import pytest
from tests.search.made_store import at, made_store

from selfsent.errors import UserError
from selfsent.one_writer import one_writer
from selfsent.search.forgetting import forget_documents
from selfsent.search.mapped_store import MappedStore
from selfsent.search.store import Store

ROWS = [
    {"text": "a cat", "degrees": 0, "document": "one"},
    {"text": "a dog", "degrees": 10, "document": "one"},
    {"text": "a fish", "degrees": 20, "document": "two"},
    {"text": "a bird", "degrees": 30},
]


def test_all_passages_of_a_document_go_and_no_other(tmp_path: Path) -> None:
    made_store(tmp_path / "store", ROWS)
    assert forget_documents(tmp_path / "store", ["one", "one"]) == 2
    store, mapped = Store.open(tmp_path / "store"), MappedStore.find(str(tmp_path / "store"))
    assert mapped is not None
    for place in (store, mapped):
        assert [row["id"] for row in place.nearest(at(0), 10)] == ["00002", "00003"]
        assert place.with_words("cat", 10) == []
    assert forget_documents(tmp_path / "store", ["00003"]) == 1
    assert len(Store.open(tmp_path / "store")) == 1


def test_a_store_that_somebody_writes_to_is_left_alone(tmp_path: Path) -> None:
    made_store(tmp_path / "store", ROWS)
    with one_writer(tmp_path / "store", "store"), pytest.raises(UserError, match="is being written by"):
        forget_documents(tmp_path / "store", ["one"])
    assert len(Store.open(tmp_path / "store")) == 4
