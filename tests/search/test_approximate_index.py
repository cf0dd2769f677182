"""The approximate index: built where no snapshot serves, with the probes that its recall needs, recorded."""

from pathlib import Path

import numpy as np
import pytest
from lancedb.index import IvfFlat

from selfsent.model_content import HASH_VERSION
from selfsent.search import store_snapshot
from selfsent.search.approximate_index import WANTED_RECALL, _found, has_index, measured
from selfsent.search.exact_scan import nearest_rows, recall
from selfsent.search.indexing import IndexReport
from selfsent.search.ranking import rank
from selfsent.search.store import Store
from selfsent.search.store_schema import VectorType
from selfsent.search.store_writer import writing
from selfsent.search.stored_model import StoredModel

DIMENSION = 16
RECORD = StoredModel(path="./model", sha256="0", dimension=DIMENSION, prompts={}, hash_version=HASH_VERSION)


def drawn(num_rows: int, seed: int = 0) -> np.ndarray:
    """Random vectors: the hardest case for cells, since no vectors stand together."""
    return np.random.default_rng(seed).normal(size=(num_rows, DIMENSION)).astype(np.float32)


def filled(
    place: Path, vectors: np.ndarray, *, first: int = 0, max_exact_rows: int = 500, held: VectorType | None = None
) -> Store:
    """Add rows to a store and finish it."""
    with writing(place, RECORD, held) as writer:
        key = writer.key_of("source")
        numbers = range(first, first + len(vectors))
        rows = [
            {"id": f"{n:05}", "text": f"text {n}", "title": "", "file": f"{n % 2}.md", "sources": key} for n in numbers
        ]
        writer.add(rows, vectors)
        writer.finish(max_exact_rows=max_exact_rows)
    return Store.open(place)


def scores(store: Store, query: np.ndarray) -> np.ndarray:
    """The cosines of what a store finds nearest."""
    return np.array([row["score"] for row in store.nearest(query, 10)])


@pytest.fixture
def no_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every store is too large for a snapshot."""
    monkeypatch.setattr(store_snapshot, "MAX_BYTES", 0)


def test_recall_is_kept_above_95_by_the_probes_and_recorded(no_snapshots: None, tmp_path: Path) -> None:
    store = filled(tmp_path / "store", drawn(1500))
    record = store.record
    assert has_index(store)
    assert record.probes is not None
    assert record.index_recall is not None
    assert record.index_recall >= WANTED_RECALL
    assert record.indexed_rows == 1500
    queries = drawn(100, seed=1)  # others than those it was chosen by
    exact = [cosines for _, cosines in nearest_rows(store.vector_blocks(), queries, 10)]
    found = recall((scores(store, query) for query in queries), exact)
    assert found >= 0.95
    ranked = rank(store, "text", queries[0], k=10, mode="vector")
    assert len(ranked) == 10


def test_more_probes_are_taken_until_the_recall_is_reached(no_snapshots: None, tmp_path: Path) -> None:
    store = filled(tmp_path / "store", drawn(1500))
    store.table.create_index("vector", config=IvfFlat(distance_type="cosine", num_partitions=38))
    queries = drawn(100, seed=2)
    record = measured(store, queries)
    assert record.probes in (3, 4, 6, 9, 13, 19, 28, 38)  # half as many more each time, up to all cells
    assert record.index_recall is not None
    assert record.index_recall >= WANTED_RECALL
    exact = [cosines for _, cosines in nearest_rows(store.vector_blocks(), queries, 10)]
    fewer = recall((_found(store, query, record.probes * 2 // 3) for query in queries), exact)
    assert fewer < WANTED_RECALL


def test_a_filter_that_few_rows_meet_still_finds_them(no_snapshots: None, tmp_path: Path) -> None:
    store = filled(tmp_path / "store", drawn(1500))
    found = store.nearest(drawn(1, seed=3)[0], 20, "id < '00020'")
    assert sorted(row["id"] for row in found) == [f"{number:05}" for number in range(20)]


def test_it_is_measured_again_when_much_has_changed_and_only_then(no_snapshots: None, tmp_path: Path) -> None:
    filled(tmp_path / "store", drawn(1000))
    little = filled(tmp_path / "store", drawn(100, seed=4), first=1000)
    assert little.record.indexed_rows == 1000
    much = filled(tmp_path / "store", drawn(400, seed=5), first=1100)
    assert much.record.indexed_rows == 1500
    version = much.version
    assert filled(tmp_path / "store", drawn(0)).version == version
    assert much.nearest(drawn(400, seed=5)[7], 1)[0]["id"] == "01107"


def test_none_is_built_where_it_does_not_pay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not has_index(filled(tmp_path / "snapshot", drawn(600)))
    monkeypatch.setattr(store_snapshot, "MAX_BYTES", 0)
    assert not has_index(filled(tmp_path / "small", drawn(400)))
    assert not has_index(filled(tmp_path / "int8", drawn(600), held="int8"))


def test_one_that_does_not_pay_any_more_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(store_snapshot, "MAX_BYTES", 0)
        assert has_index(filled(tmp_path / "store", drawn(600)))
    store = filled(tmp_path / "store", drawn(1, seed=1), first=600)
    assert not has_index(store)
    assert (store.record.probes, store.record.index_recall) == (None, None)
    assert store.nearest(drawn(600)[5], 1)[0]["id"] == "00005"


def test_an_index_of_unknown_recall_is_not_trusted(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", drawn(600), max_exact_rows=10_000)
    # As earlier versions did.
    store.table.create_index("vector", config=IvfFlat(distance_type="cosine", num_partitions=100))
    queries = drawn(20, seed=6)
    exact = [cosines for _, cosines in nearest_rows(store.vector_blocks(), queries, 10)]
    assert recall((scores(store, query) for query in queries), exact) == 1.0


def test_the_report_names_what_a_search_misses() -> None:
    report = IndexReport(num_texts=1, num_added=1, num_rows=1, num_without_direction=0)
    assert len(report.lines("store")) == 1
    told = IndexReport(
        num_texts=1, num_added=1, num_rows=1, num_without_direction=0, int8_recall=0.9871, probes=8, index_recall=0.97
    ).lines("store")
    assert told[1:] == [
        "vectors in int8: recall@10 0.987 against float32",
        "approximate index: recall@10 0.970 with 8 probes",
    ]
