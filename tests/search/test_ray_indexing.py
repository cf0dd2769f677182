"""Ray and the local engine do the same: files, stores, second runs, lost workers, and what goes wrong."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from pyarrow import parquet
from sentence_transformers import SentenceTransformer
from tests.conftest import SENTENCES

from selfsent.data.sources import open_source
from selfsent.documents import open_documents
from selfsent.errors import UserError
from selfsent.loading import open_to_encode
from selfsent.search.document_indexing import index_documents
from selfsent.search.encoding import encode
from selfsent.search.indexing import IndexReport, index
from selfsent.search.ray_engine import RayEngine
from selfsent.search.store import Store

pytest.importorskip("ray")
pytest.importorskip("lance_ray")

COLUMNS = ["id", "text", "vector", "document", "title", "start", "end", "file", "line", "page", "words", "sources"]


@pytest.fixture
def model_path(tmp_path: Path, tiny_static_model: SentenceTransformer) -> Path:
    tiny_static_model.save_pretrained(str(tmp_path / "model"))
    return tmp_path / "model"


@pytest.fixture
def model(model_path: Path) -> Any:
    return open_to_encode(model_path, device="cpu")


@pytest.fixture
def documents_path(tmp_path: Path) -> Path:
    """Tables with the same ids in both, a text, and files of one document each."""
    folder = tmp_path / "documents"
    folder.mkdir()
    for name in ("a", "b"):
        rows = [
            {"id": number, "title": f"{name} {number}", "text": text, "year": 2000 + number}
            for number, text in enumerate(SENTENCES)
        ]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "lines.txt").write_text("\n".join(SENTENCES[:5]))
    for number in range(3):
        (folder / f"{number}.md").write_text(f"# Part {number}\n\n" + "\n\n".join(SENTENCES * 3))
    (folder / "broken.pdf").write_bytes(b"no pdf")
    return folder


def rows_of(store: Path, columns: list[str] = COLUMNS) -> list[dict[str, Any]]:
    return sorted(Store.open(store).table.to_arrow().select(columns).to_pylist(), key=lambda row: row["id"])


def index_folder(
    model: Any, model_path: Path, source: Path, store: Path, **options: Any
) -> tuple[IndexReport, list[str]]:
    documents = open_documents(source, unit="line", keep=options.get("keep", ()))
    report = index_documents(model, documents, store, model_path=model_path, source="documents", **options)
    return report, [one.file for one in documents.skipped]


def test_a_file_of_embeddings_is_the_same_to_the_last_bit(engine, model, model_path, tmp_path):
    source = tmp_path / "texts.txt"
    source.write_text("\n".join(SENTENCES * 4))
    options = {"model_path": model_path, "rows_per_part": 7}
    encode(model, open_source(source), tmp_path / "local.parquet", **options)
    report = encode(model, open_source(source), tmp_path / "ray.parquet", engine=engine, **options)
    assert (report.num_texts, report.num_encoded) == (48, 48)
    local, ray = (parquet.read_table(tmp_path / f"{name}.parquet") for name in ("local", "ray"))
    assert local.column_names == ["id", "text", "embedding"]
    assert ray.equals(local)


def test_an_encoding_goes_on_behind_whole_parts_and_ignores_half_written_ones(engine, model, model_path, tmp_path):
    source = tmp_path / "texts.txt"
    source.write_text("\n".join(SENTENCES))
    options = {"model_path": model_path, "rows_per_part": 5}
    encode(model, open_source(source), tmp_path / "whole.parquet", **options)
    with pytest.raises(UserError, match="killed"):
        encode(_KilledAfter(model, 1), open_source(source), tmp_path / "out.parquet", **options)
    parts = tmp_path / ".out.parquet.parts"
    assert (parts / "000000.parquet").is_file()
    (parts / ".000001.parquet.77.part").write_bytes(b"half")
    report = encode(model, open_source(source), tmp_path / "out.parquet", engine=engine, **options)
    assert (report.num_texts, report.num_encoded) == (12, 7)
    assert parquet.read_table(tmp_path / "out.parquet").equals(parquet.read_table(tmp_path / "whole.parquet"))


class _KilledAfter:
    """A model that encodes some parts and then fails."""

    def __init__(self, model: Any, num_calls: int) -> None:
        self._model, self._left = model, num_calls

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def encode(self, texts: list[str], **options: Any) -> Any:
        if not self._left:
            raise UserError("killed")
        self._left -= 1
        return self._model.encode(texts, **options)


@pytest.mark.slow
def test_a_store_of_texts_is_the_same_row_by_row_and_a_second_run_adds_and_forgets(engine, model, model_path, tmp_path):
    source = tmp_path / "texts.csv"

    def run(texts: list[str]) -> list[IndexReport]:
        source.write_text("text\n" + "".join(f'"{text}"\n' for text in texts))
        how = {"model_path": model_path, "rows_per_write": 5, "forget": True}
        engines = {"local": None, "ray": engine}
        return [index(model, open_source(source), tmp_path / name, engine=one, **how) for name, one in engines.items()]

    first = run([*SENTENCES, SENTENCES[0]])
    assert asdict(first[0]) == asdict(first[1])
    assert first[1].num_added == 13
    assert rows_of(tmp_path / "local") == rows_of(tmp_path / "ray")
    second = run([*SENTENCES[3:], "Something new happened."])
    assert (second[1].num_added, second[1].num_removed, second[1].num_rows) == (1, 4, 10)
    assert asdict(second[0]) == asdict(second[1])
    assert rows_of(tmp_path / "local") == rows_of(tmp_path / "ray")


@pytest.mark.slow
def test_a_store_of_documents_is_the_same_row_by_row_through_all_changes(
    engine, model, model_path, documents_path, tmp_path
):
    def run() -> IndexReport:
        options = {"keep": ("year",), "forget": True, "max_tokens": 60}
        local = index_folder(model, model_path, documents_path, tmp_path / "local", **options)
        ray = index_folder(model, model_path, documents_path, tmp_path / "ray", engine=engine, **options)
        assert asdict(local[0]) == asdict(ray[0])
        assert local[1] == ray[1] == ["broken.pdf"]
        columns = [*COLUMNS, "year"]
        assert rows_of(tmp_path / "local", columns) == rows_of(tmp_path / "ray", columns)
        queries = ["guitar", "rain hills", "budget committee"]
        for query in queries:
            found = [Store.open(tmp_path / name).with_words(query, 99) for name in ("local", "ray")]
            local_scores, ray_scores = ({row["id"]: row["score"] for row in rows} for rows in found)
            assert local_scores
            assert ray_scores == pytest.approx(local_scores, rel=1e-6)
        return ray[0]

    first = run()
    assert first.num_new == 2 * 12 + 5 + 3
    assert {row["document"] for row in rows_of(tmp_path / "ray")} >= {"3", "3#2"}  # the same id in both tables
    assert (run().num_unchanged, run().num_added) == (first.num_new, 0)
    (documents_path / "0.md").write_text("# Part 0\n\nAnother text.\n\n" + "\n\n".join(SENTENCES))
    (documents_path / "1.md").unlink()
    third = run()
    assert (third.num_updated, third.num_removed) == (1, 1)


@pytest.fixture
def no_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfsent.search.store_writer.has_room", lambda _: False)


@pytest.mark.slow
@pytest.mark.usefixtures("no_snapshot")
def test_the_indices_of_large_stores_are_built_by_workers(engine, model, model_path, tmp_path):
    source = tmp_path / "texts.txt"
    source.write_text("\n".join(f"{text} {number}" for number in range(30) for text in SENTENCES))
    options = {"model_path": model_path, "rows_per_write": 100, "max_exact_rows": 50}
    reports = [
        index(model, open_source(source), tmp_path / name, engine=one, **options)
        for name, one in (("local", None), ("ray", engine))
    ]
    assert [report.index_recall for report in reports] == [1.0, 1.0]
    local, ray = (Store.open(tmp_path / name) for name in ("local", "ray"))
    assert {column for one in ray.table.list_indices() for column in one.columns} == {"words", "vector"}
    assert rows_of(tmp_path / "local") == rows_of(tmp_path / "ray")
    vector = model.encode_query([SENTENCES[0]])[0]
    for find in (
        partial(Store.with_words, query="guitar roof 7", limit=400),
        partial(Store.nearest, vector=vector, limit=5),
    ):
        expected, found = ({row["id"]: row["score"] for row in find(store)} for store in (local, ray))
        assert expected
        assert found == pytest.approx(expected, rel=1e-5)


def test_a_worker_that_is_killed_costs_its_block_only(engine, model, model_path, tmp_path):
    source = tmp_path / "texts.txt"
    source.write_text("\n".join(f"{text} {number}" for number in range(20) for text in SENTENCES))
    options = {"model_path": model_path, "rows_per_part": 4}
    encode(model, open_source(source), tmp_path / "local.parquet", **options)
    killed: list[int] = []
    killer = threading.Thread(target=partial(_kill_a_worker, tmp_path / ".ray.parquet.parts", killed))
    killer.start()
    encode(model, open_source(source), tmp_path / "ray.parquet", engine=engine, **options)
    killer.join()
    assert killed
    assert parquet.read_table(tmp_path / "ray.parquet").equals(parquet.read_table(tmp_path / "local.parquet"))


def _kill_a_worker(parts: Path, killed: list[int]) -> None:
    """Kill one of this process's workers, as soon as the first part is there."""
    deadline = time.monotonic() + 60
    while not any(parts.glob("0*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.005)
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if not killed and " ".join(process.cmdline()).startswith("ray::MapWorker"):
                process.kill()
                killed.append(process.pid)


@pytest.mark.slow
def test_a_mistake_that_a_worker_meets_is_one_line_here_and_nothing_is_committed(engine, model, model_path, tmp_path):
    source = tmp_path / "texts.txt"
    source.write_text("\n".join(SENTENCES))
    index(model, open_source(source), tmp_path / "store", model_path=model_path, engine=engine)
    before = rows_of(tmp_path / "store")
    (tmp_path / "bad.jsonl").write_text('{"text": "Good."}\n' * 12 + '{"text": 7}\n')
    with pytest.raises(UserError, match=r"bad\.jsonl, line 13"):
        index(model, open_source(tmp_path / "bad.jsonl"), tmp_path / "store", model_path=model_path, engine=engine)
    assert rows_of(tmp_path / "store") == before
    bad = open_source(tmp_path / "bad.jsonl", on_bad_row="skip")
    index(model, bad, tmp_path / "store", model_path=model_path, engine=engine)
    assert any("1 bad row left out" in note for note in bad.closing_notes())
    again = open_source(tmp_path / "bad.jsonl", on_bad_row="skip")
    encode(model, again, tmp_path / "bad.parquet", model_path=model_path, engine=engine)
    assert any("1 bad row left out" in note for note in again.closing_notes())


class _FullDisks(RayEngine):
    """Ray whose workers may write no file of more than some bytes, which they meet as they meet a full disk."""

    def map(self, make_worker: Any, model_path: Any, readers: Any) -> Iterator[Any]:
        return super().map(partial(_on_a_full_disk, make_worker), model_path, readers)


def _on_a_full_disk(make_worker: Any, model: Any) -> Any:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, resource.RLIM_INFINITY))
    return make_worker(model)


@pytest.mark.slow
def test_a_full_disk_of_a_worker_is_one_line_and_nothing_is_lost(engine, model, model_path, tmp_path):
    source, store = tmp_path / "texts.txt", tmp_path / "store"
    source.write_text("\n".join(f"{text} {number}" for number in range(20) for text in SENTENCES))
    first = tmp_path / "first.txt"
    first.write_text("\n".join(SENTENCES))
    index(model, open_source(first), store, model_path=model_path)
    before = rows_of(store)
    full = _FullDisks()
    options = {"model_path": model_path, "rows_per_part": 60}
    with pytest.raises(UserError, match=r"cannot write .*\.parquet.*File too large") as of_a_file:
        encode(model, open_source(source), tmp_path / "out.parquet", engine=full, **options)
    with pytest.raises(
        UserError, match=r"cannot write the store .*File too large.*nothing .* was committed"
    ) as of_rows:
        index(model, open_source(source), store, model_path=model_path, engine=full)
    assert "\n" not in str(of_a_file.value) + str(of_rows.value)
    assert rows_of(store) == before
    assert encode(model, open_source(source), tmp_path / "out.parquet", engine=engine, **options).num_texts == 240
