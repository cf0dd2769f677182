"""Indexing and searching on a real LanceDB store, with a real tiny model."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from selfsent.data.sources import open_source
from selfsent.errors import UserError
from selfsent.loading import load
from selfsent.search import store_snapshot
from selfsent.search.indexing import index
from selfsent.search.mapped_store import MappedStore
from selfsent.search.semantic_search import SemanticSearch
from selfsent.search.store import Store

SLOW_INDEXING = """
import sys, time
from selfsent.data.sources import open_source
from selfsent.loading import load
from selfsent.search.indexing import index

model_path, source, store = sys.argv[1:]
model = load(model_path, device="cpu")
encode = model.encode_document

def slowly(*args, **kwargs):
    time.sleep(0.2)
    return encode(*args, **kwargs)

model.encode_document = slowly
index(model, open_source(source), store, model_path=model_path, rows_per_write=8)
"""


def write_lines(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf8")
    return path


def kill_when(arguments: list[str], is_far_enough: Callable[[], bool]) -> None:
    """Run Python and kill it with SIGKILL as soon as the condition holds; it must not have ended before."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    process = subprocess.Popen([sys.executable, *arguments], env=environment, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 120
        while not is_far_enough():
            assert process.poll() is None, process.stderr.read().decode()
            assert time.monotonic() < deadline, "the process never got far enough"
            time.sleep(0.02)
        assert process.poll() is None, "the process ended before it could be killed"
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture
def model_path(tmp_path: Path, tiny_static_model: SentenceTransformer) -> Path:
    path = tmp_path / "model"
    tiny_static_model.save_pretrained(str(path))
    return path


@pytest.fixture
def model(model_path: Path) -> SentenceTransformer:
    return load(model_path, device="cpu")


def rows_of(store: Path) -> list[dict]:
    return Store.open(store).table.search().to_arrow().to_pylist()


def test_rows_hold_text_vector_and_place_for_every_text(tmp_path, model, model_path, sentences):
    source = write_lines(tmp_path / "a.txt", sentences)
    report = index(model, open_source(source), tmp_path / "store", model_path=model_path, rows_per_write=5)
    rows = sorted(rows_of(tmp_path / "store"), key=lambda row: row["line"])
    assert [(row["text"], row["file"], row["line"]) for row in rows] == [
        (text, "a.txt", line) for line, text in enumerate(sentences, start=1)
    ]
    np.testing.assert_allclose([row["vector"] for row in rows], model.encode_document(sentences), rtol=1e-5)
    assert (report.num_texts, report.num_added, report.num_rows, report.num_without_direction) == (12, 12, 12, 0)


def test_equal_texts_are_rows_of_their_own_and_every_text_of_a_pair_is_a_row(tmp_path, model, model_path):
    source = tmp_path / "pairs.jsonl"
    source.write_text('{"anchor": "a cat", "positive": "the dog"}\n{"anchor": "a cat", "positive": "a man"}\n')
    index(model, open_source(source), tmp_path / "store", model_path=model_path)
    rows = rows_of(tmp_path / "store")
    assert sorted((row["text"], row["line"]) for row in rows) == [
        ("a cat", 1),
        ("a cat", 2),
        ("a man", 2),
        ("the dog", 1),
    ]
    assert len({row["id"] for row in rows}) == 4


def test_indexing_the_same_input_again_changes_nothing(tmp_path, model, model_path, sentences):
    source = write_lines(tmp_path / "a.txt", [*sentences, sentences[0]])
    store = tmp_path / "store"
    index(model, open_source(source), store, model_path=model_path)
    files = {path: path.stat().st_mtime_ns for path in (store / "texts.lance").rglob("*") if path.is_file()}
    version = Store.open(store).version
    model.encode_document = None  # nothing may be encoded again
    report = index(model, open_source(source), store, model_path=model_path)
    assert (report.num_texts, report.num_added, report.num_rows) == (13, 0, 13)
    assert Store.open(store).version == version
    assert {path: path.stat().st_mtime_ns for path in (store / "texts.lance").rglob("*") if path.is_file()} == files


def test_a_grown_input_adds_what_is_new_and_vanished_texts_stay(tmp_path, model, model_path, sentences):
    source, store = tmp_path / "a.txt", tmp_path / "store"
    index(model, open_source(write_lines(source, sentences[:6])), store, model_path=model_path)
    first = {row["text"]: row["id"] for row in rows_of(store)}
    write_lines(source, ["Something quite new.", *sentences[3:9]])
    report = index(model, open_source(source), store, model_path=model_path)
    rows = {row["text"]: row["id"] for row in rows_of(store)}
    assert report.num_added == 4
    assert set(rows) == {*sentences[:9], "Something quite new."}
    assert first.items() <= rows.items()
    found = SemanticSearch(store).search("quite", mode="text")
    assert [hit.text for hit in found] == ["Something quite new."]


@pytest.mark.slow
def test_an_indexing_killed_in_the_middle_goes_on_where_it_stopped(tmp_path, model, model_path):
    source = write_lines(tmp_path / "a.txt", [f"the cat number {i} sleeps" for i in range(400)])
    store = tmp_path / "store"
    versions = store / "texts.lance" / "_versions"
    kill_when(
        ["-c", SLOW_INDEXING, str(model_path), str(source), str(store)],
        lambda: versions.is_dir() and len(list(versions.iterdir())) >= 5,
    )
    num_before = len(Store.open(store))
    assert 0 < num_before < 400
    with pytest.raises(UserError, match="has no index of words yet; run `selfsent index` again"):
        SemanticSearch(store).search("cat", mode="text")
    report = index(model, open_source(source), store, model_path=model_path)
    assert (report.num_added, report.num_rows) == (400 - num_before, 400)
    assert len({row["text"] for row in rows_of(store)}) == 400
    assert len(SemanticSearch(store).search("cat", k=1000, mode="text")) == 400


def test_the_beginnings_of_a_store_are_no_store_and_are_taken_over(tmp_path, model, model_path, sentences):
    store = tmp_path / "store"
    (store / "texts.lance" / "data").mkdir(parents=True)
    with pytest.raises(UserError, match="no finished store in"):
        Store.open(store)
    source = write_lines(tmp_path / "a.txt", sentences)
    assert index(model, open_source(source), store, model_path=model_path).num_rows == 12


def many_lines() -> list[str]:
    words = ["cat", "dog", "man", "guitar", "roof", "rain", "hill", "budget", "beach", "sea", "engine", "motor"]
    return [f"{a} {b} {c}" for a in words for b in words for c in words]


def test_a_large_store_gets_an_approximate_index_and_still_finds_an_exact_text(
    tmp_path, model, model_path, monkeypatch
):
    lines = many_lines()
    source = write_lines(tmp_path / "a.txt", lines)
    store = tmp_path / "store"
    monkeypatch.setattr(store_snapshot, "MAX_BYTES", 0)
    report = index(model, open_source(source), store, model_path=model_path, max_exact_rows=1000)
    assert {stored.columns[0] for stored in Store.open(store).table.list_indices()} == {"words", "vector"}
    assert report.index_recall == Store.open(store).record.index_recall >= 0.95
    hit = SemanticSearch(store).search(lines[500], 1, "vector")[0]
    assert hit.score == pytest.approx(1, abs=1e-5)
    assert sorted(hit.text.split()) == sorted(lines[500].split())


@pytest.mark.parametrize("is_mapped", [True, False])
def test_a_store_of_int8_finds_what_one_of_float32_finds(tmp_path, model, model_path, monkeypatch, is_mapped):
    source = write_lines(tmp_path / "a.txt", [*many_lines()[::4], "☃"])  # the last has no known token
    stores = {held: tmp_path / held for held in ("float32", "int8")}
    reports = {
        held: index(model, open_source(source), store, model_path=model_path, vectors=held)
        for held, store in stores.items()
    }
    assert reports["float32"].int8_recall is None
    assert reports["int8"].int8_recall == Store.open(stores["int8"]).record.int8_recall > 0.8
    assert Store.open(stores["int8"]).vectors == "int8"
    if not is_mapped:
        for store in stores.values():
            shutil.rmtree(store / "snapshots")
    searches = {held: SemanticSearch(store) for held, store in stores.items()}
    assert isinstance(searches["int8"].store, MappedStore) is is_mapped
    for where in (None, "line < 100"):
        exact, near = (searches[held].search("cat roof sea", 10, "vector", where=where) for held in stores)
        assert np.allclose([hit.score for hit in near], [hit.score for hit in exact], atol=0.01)
        assert near[0].score == pytest.approx(exact[0].score, abs=0.01)
        assert len({hit.text for hit in near} & {hit.text for hit in exact}) >= 7
    with pytest.raises(UserError, match="the filter 'nothing = 1' cannot be used"):
        searches["int8"].search("cat", 1, "vector", where="nothing = 1")
    with pytest.raises(UserError, match="the filter must be one expression, got 'line > 0; DROP TABLE x'"):
        searches["int8"].search("cat", 1, "vector", where="line > 0; DROP TABLE x")
    assert [hit.text for hit in searches["int8"].search("cat roof sea", 3)] != []
    vectors = stores["int8"] / "texts.lance"
    assert sum(path.stat().st_size for path in vectors.rglob("*.lance")) > 0


def test_the_vectors_of_a_store_stay_of_one_type(tmp_path, model, model_path, sentences):
    source = write_lines(tmp_path / "a.txt", sentences)
    store = tmp_path / "store"
    index(model, open_source(source), store, model_path=model_path, vectors="int8")
    with pytest.raises(UserError, match=r"holds vectors of int8, got --vectors float32; leave --vectors out"):
        index(model, open_source(source), store, model_path=model_path, vectors="float32")
    more = write_lines(tmp_path / "b.txt", ["a new text about a cat"])
    assert index(model, open_source(more), store, model_path=model_path).num_added == 1
    assert len({str(kind) for kind in Store.open(store).table.schema.types if "int8" in str(kind)}) == 1


def test_a_model_of_another_dimension_is_refused_with_both_numbers(tmp_path, model, model_path, sentences):
    source = write_lines(tmp_path / "a.txt", sentences)
    index(model, open_source(source), tmp_path / "store", model_path=model_path)
    narrow = SentenceTransformer(modules=[StaticEmbedding(model.tokenizer, embedding_dim=8)], device="cpu")
    narrow.save_pretrained(str(tmp_path / "narrow"))
    for attempt in (
        lambda: index(narrow, open_source(source), tmp_path / "store", model_path=tmp_path / "narrow"),
        lambda: SemanticSearch(tmp_path / "store", tmp_path / "narrow"),
    ):
        with pytest.raises(UserError, match=r"vectors of 16 dimensions, but the model .*narrow gives 8"):
            attempt()


def test_a_model_of_the_same_dimension_with_other_weights_is_refused(tmp_path, model, model_path, sentences):
    source = write_lines(tmp_path / "a.txt", sentences)
    index(model, open_source(source), tmp_path / "store", model_path=model_path)
    model[0].embedding.weight.data += 1
    model.save_pretrained(str(tmp_path / "other"))
    for attempt in (
        lambda: index(model, open_source(source), tmp_path / "store", model_path=tmp_path / "other"),
        lambda: SemanticSearch(tmp_path / "store", tmp_path / "other"),
    ):
        with pytest.raises(UserError, match="was made by another model"):
            attempt()
    assert len(Store.open(tmp_path / "store")) == 12


def test_a_model_that_gives_nan_is_refused_and_names_the_text(tmp_path, model, model_path, sentences):
    source = write_lines(tmp_path / "a.txt", sentences)
    model[0].embedding.weight.data[:] = float("nan")
    with pytest.raises(UserError, match="NaN or infinity"):
        index(model, open_source(source), tmp_path / "store", model_path=model_path)


@pytest.mark.parametrize("make", ["file", "folder", "foreign table"])
def test_a_place_that_is_something_else_is_neither_read_nor_written(tmp_path, model, model_path, sentences, make):
    place = tmp_path / "place"
    if make == "file":
        place.write_text("mine")
    elif make == "folder":
        place.mkdir()
        (place / "thesis.tex").write_text("mine")
    else:
        lancedb = pytest.importorskip("lancedb")
        lancedb.connect(place).create_table("texts", [{"a": 1}])
    source = write_lines(tmp_path / "a.txt", sentences)
    before = sorted(place.rglob("*"))
    with pytest.raises(UserError, match=str(place)) as caught:
        index(model, open_source(source), place, model_path=model_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=str(place)):
        Store.open(place)
    assert sorted(place.rglob("*")) == before


def test_a_store_that_is_not_there_is_named_and_not_made(tmp_path):
    with pytest.raises(UserError, match=r"no store at .*absent; make one"):
        SemanticSearch(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize("sizes", [{"batch_size": 0}, {"rows_per_write": 0}])
def test_sizes_below_one_are_refused(tmp_path, model, model_path, sentences, sizes):
    source = write_lines(tmp_path / "a.txt", sentences)
    with pytest.raises(UserError, match="at least 1"):
        index(model, open_source(source), tmp_path / "store", model_path=model_path, **sizes)


def test_without_the_extra_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lancedb", None)
    with pytest.raises(UserError, match=r"pip install 'selfsent\[search\]'"):
        Store.open(tmp_path)
