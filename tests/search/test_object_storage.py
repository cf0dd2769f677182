"""A store on an S3-compatible server: written, searched, grown by two writers at once; a bucket that is missing."""

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sentence_transformers import SentenceTransformer
from tests.conftest import SENTENCES

from selfsent.data.sources import open_source
from selfsent.documents import open_documents
from selfsent.errors import UserError
from selfsent.evaluation.tasks.pairs import evaluate_own_labels
from selfsent.loading import open_to_encode
from selfsent.search.document_indexing import index_documents
from selfsent.search.indexing import index
from selfsent.search.semantic_search import SemanticSearch
from selfsent.search.store import Store

boto3 = pytest.importorskip("boto3")
moto_server = pytest.importorskip("moto.server")

BUCKET = "texts"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = moto_server.ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    settings = {
        "AWS_ENDPOINT": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    client(endpoint).create_bucket(Bucket=BUCKET)
    return f"s3://{BUCKET}"


def client(endpoint: str) -> Any:
    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")


@pytest.fixture
def model_path(tmp_path: Path, tiny_static_model: SentenceTransformer) -> Path:
    tiny_static_model.save_pretrained(str(tmp_path / "model"))
    return tmp_path / "model"


def texts_in(path: Path, texts: list[str]) -> Any:
    path.write_text("\n".join(texts))
    return open_source(path)


def stored_texts(store: str) -> list[str]:
    return sorted(row["text"] for row in Store.open(store).table.to_arrow().select(["text"]).to_pylist())


def test_a_store_is_written_grown_and_searched(bucket, model_path, tmp_path):
    store = f"{bucket}/one"
    model = open_to_encode(model_path, device="cpu")
    first = index(model, texts_in(tmp_path / "a.txt", SENTENCES[:8]), store, model_path=model_path)
    second = index(model, texts_in(tmp_path / "a.txt", SENTENCES[2:]), store, model_path=model_path, forget=True)
    assert (first.num_added, second.num_added, second.num_removed, second.num_rows) == (8, 4, 2, 10)
    search = SemanticSearch(store)
    for mode in ("vector", "text", "hybrid"):
        (answers,) = search.answers(["The cat sleeps on the warm roof."], 1, mode)
        assert answers.hits[0].text == "The cat sleeps on the warm roof."


@pytest.mark.parametrize("has_corpus", [True, False])
def test_its_search_is_scored_by_judgements(bucket, model_path, tmp_path, has_corpus):
    folder, store = tmp_path / "collection", f"{bucket}/scored-{has_corpus}"
    (folder / "qrels").mkdir(parents=True)
    corpus = folder / ("corpus.jsonl" if has_corpus else "texts.jsonl")
    corpus.write_text("".join(json.dumps({"_id": str(n), "text": text}) + "\n" for n, text in enumerate(SENTENCES)))
    (folder / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": SENTENCES[3]}) + "\n")
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\t3\t1\n")
    model = open_to_encode(model_path, device="cpu")
    index_documents(model, open_documents(corpus), store, model_path=model_path, source=str(corpus))
    (report,) = evaluate_own_labels([store], qrels=folder)
    assert (report.model, report.score("collection").value) == (store, 1.0)


def test_two_writers_at_once_and_a_reader_lose_no_row_and_double_none(bucket, model_path, tmp_path):
    store = f"{bucket}/two"
    model = open_to_encode(model_path, device="cpu")
    index(model, texts_in(tmp_path / "first.txt", SENTENCES[:2]), store, model_path=model_path)
    halves = [[f"{text} {number}" for text in SENTENCES for number in range(part, 4, 2)] for part in range(2)]
    problems: list[BaseException] = []
    is_over = threading.Event()

    def write(part: int) -> None:
        try:
            source = texts_in(tmp_path / f"{part}.txt", halves[part])
            index(model, source, store, model_path=model_path, rows_per_write=6)
        except (UserError, AssertionError, OSError, RuntimeError) as error:
            problems.append(error)

    def read() -> None:
        try:
            while not is_over.is_set():
                (answers,) = SemanticSearch(store).answers([SENTENCES[0]], 1, "vector")
                assert answers.hits[0].text.startswith(SENTENCES[0])
        except (UserError, AssertionError, OSError, RuntimeError) as error:
            problems.append(error)

    writers = [threading.Thread(target=write, args=(part,)) for part in range(2)]
    reader = threading.Thread(target=read)
    for thread in (*writers, reader):
        thread.start()
    for thread in writers:
        thread.join()
    is_over.set()
    reader.join()
    assert [problem for problem in problems if "ncompatible transaction" not in str(problem)] == []
    for part in range(2):  # one that LanceDB refused goes on, and what overlapped is mended
        index(model, texts_in(tmp_path / f"{part}.txt", halves[part]), store, model_path=model_path)
    assert stored_texts(store) == sorted([*SENTENCES[:2], *halves[0], *halves[1]])


def test_a_bucket_that_is_not_there_is_one_line(bucket, model_path, tmp_path):
    model = open_to_encode(model_path, device="cpu")
    with pytest.raises(UserError, match=r"cannot (open|write) the store s3://nowhere/store") as caught:
        index(model, texts_in(tmp_path / "a.txt", SENTENCES), "s3://nowhere/store", model_path=model_path)
    assert "\n" not in str(caught.value)


def test_a_store_without_permission_is_one_line_and_stays_as_it_was(bucket, model_path, tmp_path, monkeypatch):
    store = f"{bucket}/guarded"
    model = open_to_encode(model_path, device="cpu")
    index(model, texts_in(tmp_path / "a.txt", SENTENCES[:4]), store, model_path=model_path)
    with monkeypatch.context() as server:
        server.setattr("moto.settings.INITIAL_NO_AUTH_ACTION_COUNT", 0)  # now it looks up who asks, and knows nobody
        with pytest.raises(UserError, match=f"cannot (open|write) the store {store}: .*") as written:
            index(model, texts_in(tmp_path / "b.txt", SENTENCES), store, model_path=model_path)
        with pytest.raises(UserError, match=f"cannot open the store {store}: .*") as read:
            SemanticSearch(store)
    for caught in (written, read):
        assert "\n" not in str(caught.value)
        assert re.search("403|denied|Forbidden|InvalidAccessKeyId|permission", str(caught.value))
    assert stored_texts(store) == sorted(SENTENCES[:4])
