"""Searches, documents, the map and the report, asked over HTTP."""

import json
import shutil
import subprocess
import time
from urllib.parse import quote

import httpx
import pytest
from tests.serving.running_service import DOCUMENTS, LITTLE, STRANGE, running

from selfsent.search.semantic_search import SemanticSearch
from selfsent.serving.service import Service

KEYS = {"rank", "score", "document", "title", "file", "start", "end", "text", "matches"}


def search(address, **body):
    return httpx.post(f"{address}/search", json=body, timeout=60)


def told(answer):
    return answer.status_code, answer.json()["detail"]


def test_an_answer_is_that_of_the_command_search(address, served_store):
    for mode in ("hybrid", "vector", "text"):
        (expected,) = SemanticSearch(served_store, device="cpu").answers(["a cat on the roof"], 3, mode)
        found = search(address, query="a cat on the roof", k=3, mode=mode).json()
        assert found["hidden"] == expected.hidden
        assert [hit["document"] for hit in found["hits"]] == [hit.document for hit in expected.hits]
        for hit, other in zip(found["hits"], expected.to_json()["hits"], strict=True):
            assert set(hit) == KEYS
            assert hit == other | {"file": None, "score": pytest.approx(other["score"], abs=1e-6)}
    cat = search(address, query="a cat on the roof", k=1, mode="text").json()["hits"][0]
    words = {cat["text"][one["start"] : one["end"]] for one in cat["matches"] if one["kind"] == "word"}
    assert "cat" in words
    assert words <= {"cat", "roof", "on", "the", "A", "a"}


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl_searches_and_reads_as_the_docs_say(address):
    def curl(*arguments):
        asked = subprocess.run(["curl", "-sS", *arguments], capture_output=True, text=True, check=True)
        return json.loads(asked.stdout)

    body = json.dumps({"query": "a cat on the roof", "k": 1, "mode": "text"})
    content = "Content-Type: application/json"
    (hit,) = curl(f"{address}/search", "-H", content, "-d", body)["hits"]
    assert hit["document"] == "guide/cats.md"
    found = curl(f"{address}/documents/{quote(hit['document'], safe='')}")
    assert found["text"][hit["start"] : hit["end"]] == hit["text"]
    embedded = curl(f"{address}/v1/embeddings", "-H", content, "-d", '{"model": "any", "input": "a cat"}')
    assert len(embedded["data"][0]["embedding"]) == 100


def test_an_offset_continues_the_ranking(address):
    whole = search(address, query="the committee", k=4, mode="vector").json()["hits"]
    rest = search(address, query="the committee", k=2, offset=2, mode="vector").json()["hits"]
    assert [hit["rank"] for hit in rest] == [3, 4]
    assert rest == whole[2:]
    assert search(address, query="the committee", k=2, offset=90).json()["hits"] == []


def test_files_are_named_only_where_that_was_asked_for(address, served_store):
    assert {hit["file"] for hit in search(address, query="cat dog rain", k=9).json()["hits"]} == {None}
    service = Service.open(str(served_store), device="cpu", show_paths=True, limits=LITTLE)
    with running(service) as other:
        files = {hit["document"]: hit["file"] for hit in search(other, query="cat dog rain", k=9).json()["hits"]}
        assert files["guide/cats.md"] == "guide/cats.md"
        assert httpx.get(f"{other}/documents/{quote('guide/dogs.md', safe='')}").json()["file"] == "guide/dogs.md"


def test_a_filter_holds_and_what_is_none_is_refused(address):
    only = search(address, query="cat", where="document = 'budget' AND line = 7", k=9).json()["hits"]
    assert [hit["document"] for hit in only] == ["budget"]
    quoted = "document = '" + STRANGE.replace("'", "''") + "'"
    assert [hit["document"] for hit in search(address, query="rain", where=quoted).json()["hits"]] == [STRANGE]
    status, detail = told(search(address, query="cat", where="pages = 3"))
    assert status == 422
    assert "'pages' (did you mean 'page'?)" in detail
    assert told(search(address, query="cat", where="1=1; DROP TABLE texts"))[0] == 422
    assert told(search(address, query="cat", where="line = 'x'"))[0] == 422
    assert len(search(address, query="cat", k=9).json()["hits"]) == 4


@pytest.mark.parametrize("name", [document.id for document in DOCUMENTS])
def test_a_document_is_whole_and_its_passages_stand_where_answers_say(address, name):
    found = httpx.get(f"{address}/documents/{quote(name, safe='')}").json()
    (document,) = [one for one in DOCUMENTS if one.id == name]
    assert (found["document"], found["title"]) == (name, document.title)
    assert "".join(found["text"].split()) == "".join(document.text.split())
    assert len(found["text"]) == len(document.text)
    (hit,) = search(address, query=document.text, where=f"document = '{name.replace(chr(39), 2 * chr(39))}'").json()[
        "hits"
    ]
    assert found["text"][hit["start"] : hit["end"]] == hit["text"]
    assert {"start": hit["start"], "end": hit["end"]} in [
        {"start": one["start"], "end": one["end"]} for one in found["passages"]
    ]


def test_a_document_that_is_not_there_is_said_so(address):
    assert told(httpx.get(f"{address}/documents/nothing%2Fhere")) == (
        404,
        "the store holds no document 'nothing/here'; take the `document` of an answer",
    )
    assert httpx.get(f"{address}/documents/").status_code == 404


def test_the_map_is_computed_once_and_names_every_passage(address):
    deadline = time.monotonic() + 60
    while (found := httpx.get(f"{address}/map", timeout=60)).status_code == 202 and time.monotonic() < deadline:
        assert found.json() == {"status": "computing"}
        time.sleep(0.2)
    columns = found.json()
    assert {len(columns[name]) for name in ("x", "y", "document", "title", "group", "start", "end")} == {
        columns["passages"]
    }
    assert set(columns["document"]) == {document.id for document in DOCUMENTS}
    assert all(0 <= value <= 1 for value in columns["x"] + columns["y"])
    assert all(group < len(columns["groups"]) for group in columns["group"])
    assert httpx.get(f"{address}/map").json() == columns


def test_a_store_that_no_build_made_has_no_report(address):
    status, detail = told(httpx.get(f"{address}/report"))
    assert status == 404
    assert "selfsent build" in detail


def test_a_model_alone_says_that_there_are_no_documents(model_address):
    for answer in (
        search(model_address, query="cat"),
        httpx.get(f"{model_address}/documents/budget"),
        httpx.get(f"{model_address}/map"),
    ):
        status, detail = told(answer)
        assert status == 404
        assert "only the model little-tree is served" in detail


def test_what_is_too_deep_is_refused(address):
    assert told(search(address, query="cat", offset=990, k=11))[0] == 404
    assert told(search(address, query="cat", k=0))[0] == 422
