"""Where a store may be: through links, below ~, inside its own source, and every name that cannot be one."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer

from selfsent.data.sources import open_source
from selfsent.errors import UserError
from selfsent.loading import load
from selfsent.search.indexing import IndexReport, index
from selfsent.search.semantic_search import SemanticSearch
from selfsent.search.store import Store
from selfsent.search.store_place import no_store


@pytest.fixture
def model_path(tmp_path: Path, tiny_static_model: SentenceTransformer) -> Path:
    tiny_static_model.save_pretrained(str(tmp_path / "model"))
    return tmp_path / "model"


@pytest.fixture
def model(model_path: Path) -> SentenceTransformer:
    return load(model_path, device="cpu")


@pytest.fixture
def texts_path(tmp_path: Path, sentences: list[str]) -> Path:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("\n".join(sentences))
    return tmp_path / "texts"


@pytest.fixture
def put(model: SentenceTransformer, model_path: Path, texts_path: Path) -> Callable[[str | Path], IndexReport]:
    """Index the texts into a store."""
    return lambda store: index(model, open_source(texts_path), store, model_path=model_path)


def test_a_store_behind_a_link_is_the_store_and_finds_its_model(tmp_path, put, texts_path):
    put(tmp_path / "store")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    link = tmp_path / "deep" / "er" / "link"
    link.symlink_to(tmp_path / "store")
    assert SemanticSearch(link, device="cpu").search("cat")
    assert put(link).num_added == 0
    assert link.is_symlink()


def test_a_store_made_through_a_link_is_found_by_either_name(tmp_path, put, texts_path):
    (tmp_path / "link").symlink_to(tmp_path / "target" / "store")
    put(tmp_path / "link")
    for name in ("link", "target/store"):
        assert SemanticSearch(tmp_path / name, device="cpu").search("cat")


def test_a_tilde_is_the_home_of_the_person(tmp_path, put, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    put("~/store")
    assert (tmp_path / "home" / "store" / "texts.lance").is_dir()
    assert not (tmp_path / "~").exists()
    assert SemanticSearch("~/store", device="cpu").search("cat")


@pytest.mark.parametrize("name", ["a:b", "a b", "a#b?c", "%41", "ü", "[bold]"])
def test_a_name_that_means_something_elsewhere_is_a_folder_here(tmp_path, put, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    put(name)
    assert (tmp_path / name / "texts.lance").is_dir()
    assert SemanticSearch(name, device="cpu").search("cat")


def test_a_store_inside_the_folder_of_its_source_is_no_source(tmp_path, put, texts_path):
    store = texts_path / "store"
    assert put(store).num_added == 12
    again = put(store)
    assert (again.num_texts, again.num_added) == (12, 0)


@pytest.mark.parametrize("name", ["", " "])
def test_an_empty_name_is_refused(tmp_path, put, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match="the name of the store is empty"):
        put(name)
    with pytest.raises(UserError, match="the name of the store is empty"):
        Store.open(name)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(os.name == "nt", reason="all names are Unicode there")
def test_a_name_that_is_not_utf8_is_refused_in_one_line_that_can_be_printed(tmp_path, put, texts_path):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/store\xff")
    for attempt in (
        lambda: put(name),
        lambda: Store.open(name),
    ):
        with pytest.raises(UserError, match=r"store\\udcff' has a path that is not UTF-8") as caught:
            attempt()
        assert str(caught.value).isascii()
    assert not Path(name).exists()


@pytest.mark.skipif(os.name == "nt", reason="all names are Unicode there")
def test_texts_of_a_file_whose_name_is_not_utf8_are_indexed(tmp_path, put, texts_path):
    path = os.fsencode(texts_path) + b"/b\xff.txt"
    Path(os.fsdecode(path)).write_text("rain on the hills")
    put(tmp_path / "store")
    (hit,) = SemanticSearch(tmp_path / "store", device="cpu").search("rain on the", 1, "text")
    assert hit.provenance == {"file": r"b\xff.txt", "line": 1}


def test_a_place_without_a_store_is_told_with_a_command_that_can_be_pasted(model_path: Path, tmp_path: Path):
    unfinished = tmp_path / "my notes"
    unfinished.mkdir()
    said = str(no_store(model_path))
    assert said.startswith(f"{model_path} is a model, not a store; index texts with it: `selfsent index {model_path} ")
    assert str(no_store("absent")) == (
        "no store at absent; make one: `selfsent build DOCUMENTS --output absent`, or `selfsent index MODEL INPUT"
        " --store absent`"
    )
    assert str(no_store(unfinished)).startswith(f"no finished store in {unfinished}; make one: ")
    assert f"--output '{unfinished}'`" in str(no_store(unfinished))
    assert str(no_store("s3://b/s")) == (
        "no finished store in s3://b/s; make one: `selfsent index MODEL INPUT --store s3://b/s`"
    )
