"""Writing to a store: one writer, every id once, old stores brought up to date, nothing lost on a full disk."""

import contextlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from sentence_transformers import SentenceTransformer
from tests.processes import fork

from selfsent.data.sources import open_source
from selfsent.errors import UserError
from selfsent.loading import load
from selfsent.model_content import HASH_VERSION, model_content_hash
from selfsent.one_writer import one_writer
from selfsent.search import store_writer
from selfsent.search.indexing import index
from selfsent.search.semantic_search import SemanticSearch
from selfsent.search.store import MODES, Store
from selfsent.search.store_writer import writing
from selfsent.search.stored_model import StoredModel, describe

OLD = Path(__file__).parent / "store_of_6c19337"
LONG_WORD = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def index_elsewhere(model_path: Path, source: Path, store: Path, told: Path) -> None:
    try:
        index(load(model_path, device="cpu"), open_source(source), store, model_path=model_path)
    except UserError as error:
        told.write_text(str(error))


@pytest.fixture
def model_path(tmp_path: Path, tiny_static_model: SentenceTransformer) -> Path:
    tiny_static_model.save_pretrained(str(tmp_path / "model"))
    return tmp_path / "model"


@pytest.fixture
def model(model_path: Path) -> SentenceTransformer:
    return load(model_path, device="cpu")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy of the store that the code of 6c19337 wrote, with its model and its source."""
    shutil.copytree(OLD, tmp_path / "old")
    return tmp_path / "old"


def write_lines(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf8")
    return path


def index_old(old: Path) -> None:
    index(load(old / "model", device="cpu"), open_source(old / "texts.txt"), old / "store", model_path=old / "model")


def texts_of(store: Path) -> list[str]:
    return sorted(Store.open(store).table.to_arrow().column("text").to_pylist())


def rows_of(texts: list[str]) -> list[dict]:
    return [{"id": f"id of {text}", "text": text} for text in texts]


def test_an_old_store_is_searched_as_before(old):
    search = SemanticSearch(old / "store", device="cpu")
    assert search.store.model.is_former
    found = {mode: search.search("the cat", 3, mode) for mode in MODES}
    assert [hit.text[:7] for hit in found["vector"]] == ["The com", "The cat", "Two dog"]
    np.testing.assert_allclose([hit.score for hit in found["vector"]], [0.6815, 0.5709, 0.3558], atol=1e-4)
    np.testing.assert_allclose([hit.score for hit in found["text"]], [1.4704, 0.1284, 0.1176], atol=1e-4)
    assert found["hybrid"][0].text == "The cat sleeps on the warm roof."
    assert search.search(LONG_WORD, mode="text") == []


def test_an_old_store_is_brought_up_to_date_by_the_next_indexing(old):
    index_old(old)
    search = SemanticSearch(old / "store", device="cpu")
    assert search.store.model == StoredModel(
        path="../model",
        sha256=model_content_hash(old / "model"),
        dimension=8,
        prompts={},
        hash_version=HASH_VERSION,
    )
    assert [hit.text[:30] for hit in search.search(LONG_WORD, mode="text")] == ["The commit 9f86d081884c7d659a2"]
    assert search.search("the cat", 1, "vector")[0].score == pytest.approx(0.6815, abs=1e-4)
    assert texts_of(old / "store") == sorted((old / "texts.txt").read_text().splitlines())
    version = search.store.version
    index_old(old)
    assert Store.open(old / "store").version == version


def test_an_old_store_knows_its_model_also_with_a_report_beside_it_and_refuses_another(old):
    (old / "model" / "report.json").write_text("{}")
    assert SemanticSearch(old / "store", device="cpu").search("cat")
    index_old(old)
    assert SemanticSearch(old / "store", device="cpu").search("cat")
    shutil.copytree(OLD / "store", old / "second")
    model = load(old / "model", device="cpu")
    model[0].embedding.weight.data += 1
    model.save_pretrained(str(old / "model"))
    for store in ("store", "second"):
        with pytest.raises(UserError, match="was made by another model"):
            SemanticSearch(old / store, device="cpu")


@pytest.mark.parametrize("name", ["report.json", "notes.txt", "evaluation/sts.json"])
def test_what_is_put_beside_a_model_does_not_estrange_it_from_its_store(tmp_path, model, model_path, sentences, name):
    source = write_lines(tmp_path / "a.txt", sentences)
    index(model, open_source(source), tmp_path / "store", model_path=model_path)
    (model_path / name).parent.mkdir(exist_ok=True)
    (model_path / name).write_text("{}")
    assert SemanticSearch(tmp_path / "store", device="cpu").search("cat")


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (StoredModel(path="m", sha256="0", dimension=8, prompts={}, hash_version=99).to_json(), "later version"),
        ('{"path": "m", "of a later": "version"}', "not readable"),
        ("{", "Expecting property name"),
    ],
)
def test_a_record_that_cannot_be_read_is_told_in_one_line(old, record, reason):
    table = Store.open(old / "store").table
    table.update_field_metadata({"path": "vector", "metadata": {"selfsent.model": record}})
    with pytest.raises(UserError, match=f"cannot open the store .*{reason}") as caught:
        Store.open(old / "store")
    assert "\n" not in str(caught.value)


def test_a_second_indexing_is_refused_while_one_writes_and_adds_nothing(tmp_path, model, model_path, sentences):
    source = write_lines(tmp_path / "a.txt", sentences)
    with one_writer(tmp_path / "store", "store"):
        told = tmp_path / "told.txt"
        fork(index_elsewhere, model_path, source, tmp_path / "store", told).join(timeout=200)
    assert f"is being written by process {os.getpid()}" in told.read_text()
    assert Store.find(tmp_path / "store") is None
    assert index(model, open_source(source), tmp_path / "store", model_path=model_path).num_added == 12


def test_texts_that_another_writer_added_meanwhile_are_not_added_again(tmp_path, model, model_path, monkeypatch):
    monkeypatch.setattr(store_writer, "one_writer", lambda *_, **__: contextlib.nullcontext())  # as on object storage
    record = describe(model, model_path, str(tmp_path / "store"))
    ones = np.ones((3, record.dimension), dtype=np.float32)
    with writing(tmp_path / "store", record) as first, writing(tmp_path / "store", record) as second:
        assert first.add(rows_of(["a", "b", "c"]), ones) == 3
        assert second.missing(rows_of(["b", "c", "d"])) == rows_of(["b", "c", "d"])
        assert second.add(rows_of(["b", "c", "d"]), ones) == 1
        assert first.add(rows_of(["c", "d", "e"]), ones) == 1
    assert texts_of(tmp_path / "store") == ["a", "b", "c", "d", "e"]


def test_a_store_without_a_row_is_filled_and_searched(tmp_path, model, model_path, sentences):
    with writing(tmp_path / "store", describe(model, model_path, str(tmp_path / "store"))) as writer:
        writer.finish(max_exact_rows=10)
    for mode in MODES:
        assert SemanticSearch(tmp_path / "store", device="cpu").search("cat", 5, mode) == []
    source = write_lines(tmp_path / "a.txt", sentences)
    assert index(model, open_source(source), tmp_path / "store", model_path=model_path).num_added == 12


def test_a_store_that_two_writers_filled_twice_is_mended(tmp_path, model, model_path, sentences, caplog):
    source = write_lines(tmp_path / "a.txt", sentences)
    index(model, open_source(source), tmp_path / "store", model_path=model_path)
    table = Store.open(tmp_path / "store").table
    table.add(table.to_arrow().slice(0, 7))
    assert len(Store.open(tmp_path / "store")) == 19
    report = index(model, open_source(source), tmp_path / "store", model_path=model_path)
    assert (report.num_added, report.num_rows) == (0, 12)
    assert "held 7 rows twice" in caplog.text
    assert texts_of(tmp_path / "store") == sorted(sentences)
    assert len(SemanticSearch(tmp_path / "store", device="cpu").search("the", 50, "text")) == 12


WORDS = [
    LONG_WORD,
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "x" * 5000,
    "snake_case_name",
    "CamelCaseName",
    "__init__",
    "C++",
    "node.js",
    "jane.doe@example.org",
    "https://example.org/a?b=c",
    "v1.2.3-rc1",
    "10.1000/xyz-123",
    "--dry-run",
    "naïve",
    "ﬁnance",
    "Straße",
    "公园",
    "テスト",
    "한국어",
    "ภาษาไทย",
    "not",
]


def test_a_word_of_any_kind_and_length_is_found_by_words(tmp_path, model, model_path):
    texts = [f"{place} {word} {place}" for place, word in enumerate(WORDS)]
    index(model, open_source(write_lines(tmp_path / "a.txt", texts)), tmp_path / "store", model_path=model_path)
    search = SemanticSearch(tmp_path / "store", device="cpu")
    found = {word: search.search(word, 1, "text") for word in WORDS}
    assert {word: [hit.text for hit in hits] for word, hits in found.items()} == {
        word: [text] for word, text in zip(WORDS, texts, strict=True)
    }


def files_of(store: Path) -> list[Path]:
    return [path for path in store.rglob("*") if path.is_file()]


def test_many_small_additions_do_not_pile_up_files_and_a_reader_goes_on_meanwhile(tmp_path, model, model_path):
    source, store = tmp_path / "a.txt", tmp_path / "store"
    lines = ["the first line"]
    index(model, open_source(write_lines(source, lines)), store, model_path=model_path)
    search = SemanticSearch(store, device="cpu")
    for number in range(12):
        lines.append(f"the cat number {number}")
        index(model, open_source(write_lines(source, lines)), store, model_path=model_path)
        for mode in MODES:
            assert lines[-1] in [hit.text for hit in search.search(lines[-1], 50, mode)]
    assert len(files_of(store / "texts.lance")) < 30
    assert len(list((store / "snapshots").iterdir())) == 1
    assert texts_of(store) == sorted(lines)


def test_a_reader_whose_version_is_removed_in_the_middle_reads_the_next(tmp_path, model, model_path, monkeypatch):
    source, store = tmp_path / "a.txt", tmp_path / "store"
    index(model, open_source(write_lines(source, ["the cat"])), store, model_path=model_path)
    shutil.rmtree(store / "snapshots")  # the table itself is read
    search = SemanticSearch(store, words_only=True)
    read = search.store.with_words
    calls = []

    def late(*arguments):
        calls.append(arguments)
        if len(calls) == 1:
            index(model, open_source(write_lines(source, ["the cat", "the dog"])), store, model_path=model_path)
            raise RuntimeError(
                "lance error: Not found: texts.lance/data/1.lance, /a/b.rs:1:2"
            )  # what it met when tried
        return read(*arguments)

    monkeypatch.setattr(search.store, "with_words", late)
    assert {hit.text for hit in search.search("the", 5, "text")} == {"the cat", "the dog"}
    assert len(calls) == 2


@pytest.fixture
def full_disk():
    """Let no file of this process grow beyond some bytes, which LanceDB meets as it meets a full disk."""
    resource = pytest.importorskip("resource")

    @contextlib.contextmanager
    def full():
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return full


def test_a_full_disk_is_told_in_one_line_and_nothing_is_lost(tmp_path, model, model_path, full_disk):
    source, store = tmp_path / "a.txt", tmp_path / "store"
    index(model, open_source(write_lines(source, ["the cat"])), store, model_path=model_path)
    lines = ["the cat", *(f"the dog number {number}" for number in range(200))]
    more = open_source(write_lines(source, lines))
    with full_disk(), pytest.raises(UserError, match=r"cannot write the store .*: File too large.*is kept") as caught:
        index(model, more, store, model_path=model_path)
    assert "\n" not in str(caught.value)
    assert ".rs:" not in str(caught.value)
    assert texts_of(store) == ["the cat"]
    assert index(model, more, store, model_path=model_path).num_added == 200


def test_a_store_that_may_not_be_written_is_told_in_one_line(tmp_path, model, model_path, sentences, monkeypatch):
    def acquire(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(FileLock, "acquire", acquire)
    source = open_source(write_lines(tmp_path / "a.txt", sentences))
    with pytest.raises(UserError, match=r"cannot write the store .*: Permission denied"):
        index(model, source, tmp_path / "store", model_path=model_path)


def test_a_damaged_store_is_told_in_one_line(tmp_path, model, model_path, sentences):
    source = open_source(write_lines(tmp_path / "a.txt", sentences))
    index(model, source, tmp_path / "store", model_path=model_path)
    for path in (tmp_path / "store" / "texts.lance" / "data").iterdir():
        path.write_bytes(b"damage")
    shutil.rmtree(tmp_path / "store" / "snapshots")  # with it the search would answer all the same
    with pytest.raises(UserError, match=r"cannot read the store") as caught:
        SemanticSearch(tmp_path / "store", device="cpu").search("cat")
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"cannot write the store"):
        index(model, source, tmp_path / "store", model_path=model_path)
