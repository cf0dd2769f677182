"""Versions that are kept stay searchable, whatever is indexed later; documents are removed by their ids."""

from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer
from tests.command_line import refused, typed

import selfsent
from selfsent.errors import UserError
from selfsent.one_writer import one_writer
from selfsent.search import store_snapshot
from selfsent.search.kept_versions import drop_version, require_versions, stored_versions
from selfsent.search.mapped_store import MappedStore
from selfsent.search.semantic_search import SemanticSearch
from selfsent.search.store import MODES, Store
from selfsent.search.store_snapshot import ABOUT


@pytest.fixture
def model(tmp_path: Path, tiny_static_model: SentenceTransformer) -> Path:
    tiny_static_model.save_pretrained(str(tmp_path / "model"))
    return tmp_path / "model"


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    for name, text in (("cat", "The cat sleeps on the warm roof."), ("dog", "Two dogs run along the beach.")):
        (folder / f"{name}.md").write_text(text, "utf8")
    return folder


def found(store: Path, query: str, **options: int) -> set[str]:
    """Documents that are found by words."""
    return {hit.document for hit in selfsent.query(store, query, mode="text", **options).hits}


def test_a_kept_version_is_searched_as_it_was(model: Path, notes: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    typed("index", model, notes, "--store", store, "--keep-version")
    (kept,) = stored_versions(store)
    (notes / "cat.md").write_text("A train arrives late.", "utf8")
    selfsent.index(model, notes, store, forget=True)
    assert found(store, "cat") == set()
    assert found(store, "train") == {"cat.md"}
    assert found(store, "cat", version=kept.version) == {"cat.md"}
    assert found(store, "train", version=kept.version) == set()
    search = SemanticSearch(store, version=kept.version)
    for mode in MODES:
        assert len(search.search("the cat", 5, mode)) == (1 if mode == "text" else 2)
    printed = typed("search", store, "cat", "--mode", "text", "--version", kept.version)
    assert "cat.md" in printed.out
    (notes / "dog.md").unlink()
    selfsent.index(model, notes, store, forget=True)
    assert found(store, "beach", version=kept.version) == {"dog.md"}
    assert search.search("beach", 1, "text")[0].document == "dog.md"


def test_versions_are_listed_and_dropped(model: Path, notes: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    selfsent.index(model, notes, store, keep_version=True)
    (notes / "bird.md").write_text("A bird sings.", "utf8")
    selfsent.index(model, notes, store, keep_version=True)
    (notes / "fish.md").write_text("A fish swims.", "utf8")
    selfsent.index(model, notes, store)
    versions = stored_versions(store)
    assert [(one.num_rows, one.is_latest, one.kept is None) for one in versions] == [
        (2, False, False),
        (3, False, False),
        (4, True, True),
    ]
    listed = typed("versions", store).out.splitlines()
    assert len(listed) == 3
    assert listed[0].startswith(f"{versions[0].version}: 2 rows, 0.0 MB (kept 20")
    assert listed[2].endswith("(latest)")
    told = typed("versions", store, "--drop", versions[0].version)
    assert told.out.strip() == f"version {versions[0].version} of {store} is not kept any more (2 rows)"
    assert [one.num_rows for one in stored_versions(store)] == [3, 4]
    refused(
        typed("search", store, "cat", "--version", versions[0].version), "keeps no version", str(versions[1].version)
    )
    refused(typed("versions", store, "--drop", versions[2].version), "is not kept")
    assert len(list((store / "snapshots").iterdir())) == 2


def test_the_latest_version_may_be_kept_and_let_go(model: Path, notes: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    selfsent.index(model, notes, store)
    selfsent.index(model, notes, store, keep_version=True)  # nothing has changed, and it is kept all the same
    (latest,) = stored_versions(store)
    assert (latest.is_latest, latest.kept is None) == (True, False)
    assert found(store, "cat", version=latest.version) == {"cat.md"}
    drop_version(store, latest.version)
    (again,) = stored_versions(store)
    assert again.kept is None
    assert found(store, "cat") == {"cat.md"}
    with one_writer(store, "store"), pytest.raises(UserError, match="is not kept"):
        drop_version(store, latest.version)


def test_a_filter_on_a_kept_version(model: Path, notes: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    selfsent.index(model, notes, store, keep_version=True)
    (version,) = (one.version for one in stored_versions(store))
    search = SemanticSearch(store, version=version, words_only=True)
    assert len(search.search("the", 5, "text", where="file = 'cat.md'")) <= 1
    with pytest.raises(UserError, match="cannot be used on a kept version"):
        search.search("the", 5, "text", where="length(file) = 6")


def test_what_cannot_be_kept_or_opened_is_one_line(
    model: Path, notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    refused(typed("versions", tmp_path / "nowhere"), "no store at")
    refused(typed("index", model, notes, "--store", "s3://bucket/store", "--keep-version"), "object storage")
    with pytest.raises(UserError, match="object storage"):
        require_versions("s3://bucket/store")
    selfsent.index(model, notes, store)
    refused(typed("search", store, "cat", "--version", "999"), "keeps no version 999")
    selfsent.index(model, notes, store, keep_version=True)
    (one,) = stored_versions(store)
    about = one.folder / ABOUT
    about.write_text(about.read_text("utf8").replace('"format": 1', '"format": 99'), "utf8")
    with pytest.raises(UserError, match="cannot be read"):
        MappedStore.of_version(str(store), one.version)
    monkeypatch.setattr(store_snapshot, "MAX_BYTES", 0)
    refused(typed("index", model, notes, "--store", tmp_path / "large", "--keep-version"), "no version of", "too large")
    assert typed("versions", tmp_path / "large").out.strip().endswith("its latest has no snapshot")


def test_documents_are_removed_by_their_ids(model: Path, notes: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    (notes / "it's.md").write_text("A quoted name. The cat.", "utf8")
    selfsent.index(model, notes, store)
    told = typed("forget", store, "it's.md", "dog.md")
    assert told.out.strip() == f"2 documents removed from {store}: 2 passages"
    assert found(store, "cat") == {"cat.md"}
    assert found(store, "beach") == set()
    before = Store.open(store).version
    refused(typed("forget", store, "cat.md", "nothing.md"), "holds no document 'nothing.md'", "nothing was removed")
    assert Store.open(store).version == before
    refused(typed("forget", tmp_path / "nowhere", "cat.md"), "no store at")
    assert selfsent.index(model, notes, store).num_new == 2


def test_a_text_that_is_a_row_of_its_own_is_removed_by_the_id_of_its_row(model: Path, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("a cat\na dog\n", "utf8")
    selfsent.index(model, tmp_path / "texts.txt", tmp_path / "store")
    hit = SemanticSearch(tmp_path / "store").search("cat", 1, "text")[0]
    assert typed("forget", tmp_path / "store", hit.id).code == 0
    assert SemanticSearch(tmp_path / "store").search("cat", 1, "text") == []
    assert len(Store.open(tmp_path / "store")) == 1
