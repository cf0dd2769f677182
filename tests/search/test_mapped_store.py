"""A store's snapshot answers as its table does, row by row, and is used only for the version it was made of."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.search.made_store import made_store
from tests.search.test_indexing import kill_when

from selfsent.search.mapped_store import MappedStore
from selfsent.search.ranking import Ranked, rank
from selfsent.search.store import MODES, Mode, Store
from selfsent.search.store_place import SNAPSHOTS
from selfsent.search.store_snapshot import ABOUT, table_state
from selfsent.search.store_writer import writing
from selfsent.search.stored_model import StoredModel

DIMENSION = 8
RECORD = StoredModel(path="./model", sha256="0", dimension=DIMENSION, prompts={})
WORDS = ["file", "read", "open", "the", "a", "cat", "cats", "csv", "array", "roof", "naïve", "数学", "readCsv", "of"]
HANGING = """
import sys, time
import numpy as np
from selfsent.search import store_snapshot
from selfsent.search.store_writer import writing
from selfsent.search.stored_model import StoredModel

store_snapshot._sync = lambda path: time.sleep(600)
with writing(sys.argv[1], StoredModel(path="./model", sha256="0", dimension=2, prompts={})) as writer:
    writer.add([{"id": "00001", "text": "a cat", "title": "", "sources": "0"}], np.ones((1, 2), np.float32))
    writer.finish(max_exact_rows=100_000)
"""
FILTERS = [
    "file = 'a.md'",
    "file LIKE 'b%' OR line < 10",
    "NOT (file = 'a.md') AND line >= 3",
    "line IS NULL",
    "year BETWEEN 2001 AND 2003 AND file IN ('a.md', 'c.md')",
    "title ILIKE '%FIRST%' AND year <> 2001",
    "line NOT IN (1, 2, 3) AND file NOT LIKE 'a%'",
]


def drawn_rows(num_rows: int, generator: np.random.Generator) -> list[dict[str, Any]]:
    """Passages of random words, several a document, some twice; places and a kept column, some of them null."""
    rows: list[dict[str, Any]] = []
    for number in range(num_rows):
        length = int(generator.integers(1, 25))
        text = " ".join(generator.choice(WORDS, length)) if number % 9 else rows[-1]["text"] if rows else "the cat"
        rows.append(
            {
                "id": f"{number:05}",
                "text": text,
                "document": None if number % 7 == 0 else f"document {number // 3}",
                "title": "" if number % 4 else "The first",
                "file": ["a.md", "b.md", "c.md", None][number % 4],
                "line": None if number % 5 == 0 else number % 40,
                "start": 0,
                "end": len(text),
                "year": 2000 + number % 5,
            }
        )
    return rows


def drawn_vectors(rows: Sequence[dict[str, Any]], generator: np.random.Generator) -> np.ndarray:
    """Random vectors; equal texts have equal ones, and a few have no direction."""
    known: dict[str, np.ndarray] = {}
    for row in rows:
        known.setdefault(row["text"], generator.normal(size=DIMENSION) * (len(known) % 17 > 0))
    return np.array([known[row["text"]] for row in rows], dtype=np.float32)


def fill(place: Path, rows: list[dict[str, Any]], vectors: np.ndarray, **record: Any) -> Store:
    """Add rows to a store."""
    with writing(place, RECORD) as writer:
        writer.keep_columns(["year"], rows)
        key = writer.key_of("source")
        writer.add([{"sources": key, **row} for row in rows], vectors)
        writer.update_record(replace(writer.record, **record))
        writer.finish(max_exact_rows=100_000)
    return Store.open(place)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, MappedStore]:
    """A table of 600 rows and its snapshot."""
    generator = np.random.default_rng(0)
    rows = drawn_rows(600, generator)
    place = tmp_path_factory.mktemp("stores") / "store"
    table = fill(place, rows, drawn_vectors(rows, generator), fusion_weight=0.4)
    return table, found(place)


def found(place: Path) -> MappedStore:
    """The snapshot of a store, which is there."""
    mapped = MappedStore.find(str(place))
    assert mapped is not None
    return mapped


def answers(store: Store | MappedStore, ranked: Sequence[Ranked]) -> list[tuple[Any, ...]]:
    """What a person sees of a ranking."""
    columns = [name for name in store.columns if name not in ("vector", "words")]
    rows = store.fetch([one.passage.row_id for one in ranked], columns)
    return [tuple(sorted(rows[one.passage.id].items())) for one in ranked]


def check(
    stores: tuple[Store, MappedStore], query: str, vector: np.ndarray, *, k: int, mode: Mode, where: str | None = None
) -> None:
    """Require the same documents, passages and columns in the same order, and scores equal to rounding."""
    table, mapped = stores
    of_table = table.read(lambda: rank(table, query, vector, k=k, mode=mode, where=where))
    of_snapshot = mapped.read(lambda: rank(mapped, query, vector, k=k, mode=mode, where=where))
    assert answers(mapped, of_snapshot) == answers(table, of_table), (query, k, mode, where)
    for name in ("score", "words", "cosine"):
        ours, theirs = ([getattr(one, name) or 0.0 for one in found] for found in (of_snapshot, of_table))
        assert np.allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("where", [None, *FILTERS])
def test_rankings_are_those_of_the_table(stores: tuple[Store, MappedStore], mode: Mode, where: str | None) -> None:
    generator = np.random.default_rng(1)
    assert where is None or stores[1].can_filter(where)
    for k in (1, 5, 40):
        query = " ".join(generator.choice(WORDS, 3))
        check(stores, query, generator.normal(size=DIMENSION).astype(np.float32), k=k, mode=mode, where=where)


def test_documents_are_those_of_the_table_and_none_where_a_text_is_a_row_of_its_own(tmp_path: Path) -> None:
    rows = [{"text": f"cat {number}", "degrees": 0, "document": name} for number, name in enumerate(["a", "b", "a"])]
    made_store(tmp_path / "documents", rows)
    made_store(tmp_path / "mixed", [*rows, {"text": "a dog", "degrees": 0, "document": None}])
    for name, expected in (("documents", {"a", "b"}), ("mixed", set())):
        table, mapped = Store.open(tmp_path / name), MappedStore.find(str(tmp_path / name))
        assert mapped is not None
        assert table.document_names() == mapped.document_names() == expected


def test_facts_are_those_of_the_table(stores: tuple[Store, MappedStore]) -> None:
    table, mapped = stores
    assert (len(mapped), mapped.version, mapped.model) == (len(table), table.version, table.model)
    assert (mapped.record, mapped.analyser, set(mapped.columns)) == (table.record, table.analyser, set(table.columns))


def test_all_rows_with_words_and_with_a_direction_are_found_as_by_the_table(stores: tuple[Store, MappedStore]) -> None:
    table, mapped = stores
    vector = np.arange(1, DIMENSION + 1, dtype=np.float32)
    for find in (lambda store: store.with_words("cat file", 1000), lambda store: store.nearest(vector, 1000)):
        of_table, of_snapshot = ({row["id"]: row["score"] for row in find(store)} for store in (table, mapped))
        assert of_table.keys() == of_snapshot.keys()
        assert np.allclose(list(of_snapshot.values()), [of_table[name] for name in of_snapshot], atol=1e-6)
    assert mapped.with_words("nowhere", 10) == mapped.nearest(np.zeros(DIMENSION, np.float32), 10) == []


def test_a_store_that_was_changed_has_a_new_snapshot_and_the_tables_answers(tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    rows = drawn_rows(300, generator)
    fill(tmp_path / "store", rows[:200], drawn_vectors(rows[:200], generator))
    first = found(tmp_path / "store")
    with writing(tmp_path / "store", RECORD) as writer:
        writer.forget([f"{number:05}" for number in range(0, 200, 3)], "0")
        writer.update([row | {"line": 7} for row in rows[1:50:3]], ["line"])
        assert not first.is_latest
        assert MappedStore.find(str(tmp_path / "store")) is None
        assert len(first.with_words("cat", 1000)) > 0  # a reader goes on with what it has open
        writer.finish(max_exact_rows=100_000)
    table = fill(tmp_path / "store", rows[200:], drawn_vectors(rows[200:], generator))
    mapped = found(tmp_path / "store")
    assert len(list((tmp_path / "store" / SNAPSHOTS).iterdir())) == 1
    assert len(mapped) == len(table) == 300 - 67
    for mode in MODES:
        vector = generator.normal(size=DIMENSION).astype(np.float32)
        check((table, mapped), "cat file", vector, k=20, mode=mode, where="line = 7")
        check((table, mapped), "read csv", vector, k=20, mode=mode)


def test_a_snapshot_that_is_not_whole_is_never_read(tmp_path: Path) -> None:
    made_store(tmp_path / "store", [{"text": "the cat", "degrees": 10}, {"text": "a dog", "degrees": 50}])
    folder = next((tmp_path / "store" / SNAPSHOTS).iterdir())
    for name in [path.name for path in folder.iterdir()]:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[:-1])
        assert MappedStore.find(str(tmp_path / "store")) is None
        (folder / name).unlink()
        assert MappedStore.find(str(tmp_path / "store")) is None
        (folder / name).write_bytes(content)
    folder.rename(folder.with_name(f"{folder.name}.part"))
    assert MappedStore.find(str(tmp_path / "store")) is None
    folder.with_name(f"{folder.name}.part").rename(folder)
    assert len(found(tmp_path / "store")) == 2


def test_a_writer_killed_before_the_snapshot_has_its_name_leaves_none(tmp_path: Path) -> None:
    store = tmp_path / "store"
    made_store(store, [{"text": "the cat", "degrees": 10}])

    def is_written_aside() -> bool:
        return any((path / ABOUT).is_file() for path in (store / SNAPSHOTS).glob("*.part"))

    kill_when(["-c", HANGING, str(store)], is_written_aside)
    assert MappedStore.find(str(store)) is None
    assert {row["id"] for row in Store.open(store).with_words("cat", 5)} == {"00000", "00001"}
    with writing(store, replace(RECORD, dimension=2)) as writer:
        writer.finish(max_exact_rows=100_000)
    assert [path.suffix for path in (store / SNAPSHOTS).iterdir()] == [""]
    assert {row["id"] for row in found(store).with_words("cat", 5)} == {"00000", "00001"}


def test_a_copy_of_a_store_keeps_its_snapshot(tmp_path: Path) -> None:
    made_store(tmp_path / "store", [{"text": "the cat", "degrees": 10}])
    shutil.copytree(tmp_path / "store", tmp_path / "copy", copy_function=shutil.copy)
    assert [row["id"] for row in found(tmp_path / "copy").with_words("cat", 5)] == ["00000"]


def test_a_store_made_anew_at_the_same_place_does_not_get_the_old_snapshot(tmp_path: Path) -> None:
    made_store(tmp_path / "store", [{"text": "the cat", "degrees": 10}])
    old = tmp_path / "old"
    shutil.copytree(tmp_path / "store" / SNAPSHOTS, old)
    shutil.rmtree(tmp_path / "store" / "texts.lance")
    made_store(tmp_path / "store", [{"text": "a dog", "degrees": 10}])
    shutil.rmtree(tmp_path / "store" / SNAPSHOTS)
    shutil.copytree(old, tmp_path / "store" / SNAPSHOTS)
    assert MappedStore.find(str(tmp_path / "store")) is None


def test_there_is_no_state_of_what_is_no_local_store(tmp_path: Path) -> None:
    assert table_state("s3://bucket/store") is None
    assert table_state(str(tmp_path / "nowhere")) is None
    assert MappedStore.find(str(tmp_path)) is None
