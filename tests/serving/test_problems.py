"""Bad requests: a precise status, one line, and a service that goes on."""

import httpx
import pytest

JSON = {"Content-Type": "application/json"}


def post(address, content, path="/search", headers=JSON):
    answer = httpx.post(address + path, content=content, headers=headers, timeout=60)
    return answer.status_code, answer.json()["detail"]


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b'{"query": "a"', 400, "at character 13"),
        (b"{'query': 1}", 400, "must be JSON"),
        (b'{"query": "a\xff"}', 400, "byte 12 is 0xff"),
        (b'{"query": "a\x00"}', 400, "must be JSON"),
        (b"[" * 100_000, 400, "brackets"),
        (b'{"k": ' + b"9" * 5000 + b"}", 400, "cannot be read"),
        (b"", 422, "body is missing"),
        (b"[]", 422, "must be a JSON object"),
        (b'"a"', 422, "must be a JSON object"),
        (b"{}", 422, "query is missing"),
        (b'{"query": 3}', 422, "query must be a valid string, got 3"),
        (b'{"query": ""}', 422, "at least 1 character"),
        (b'{"query": "   "}', 422, "query must not be empty"),
        (b'{"query": "' + b"a" * 10_001 + b'"}', 422, "at most 10000 characters, got 10,001 characters"),
        (b'{"query": "\\ud83d"}', 422, "surrogate"),
        (b'{"query": "a", "k": "3"}', 422, "k must be a valid integer, got '3'"),
        (b'{"query": "a", "k": 2.5}', 422, "k must be"),
        (b'{"query": "a", "k": true}', 422, "k must be a valid integer, got True"),
        (b'{"query": "a", "k": NaN}', 422, "got nan"),
        (b'{"query": "a", "k": 100000}', 422, "less than or equal to 1000, got 100000"),
        (b'{"query": "a", "k": -1, "offset": -1}', 422, "offset must be"),
        (b'{"query": "a", "mode": "both"}', 422, "'hybrid', 'vector' or 'text', got 'both'"),
        (b'{"query": "a", "limit": 3, "where": 5}', 422, "limit is not a field of this request"),
        (b'{"query": "a", "a\\u001b[31m\\n": 3}', 422, "is not a field of this request"),
    ],
)
def test_a_bad_body_is_refused_in_one_line(address, content, status, words):
    answered, detail = post(address, content)
    assert (answered, words in detail) == (status, True), detail
    assert detail.isprintable()
    assert len(detail) < 500


@pytest.mark.parametrize("query", ["😀", "\x00\x07\x1b[31m", "\u202eabc", "a\u0301" * 500, "ﷺ" * 100, "' OR 1=1 --"])
def test_a_strange_query_is_a_query(address, query):
    answer = httpx.post(f"{address}/search", json={"query": query})
    assert answer.status_code == 200
    assert set(answer.json()) == {"hits", "hidden"}


def test_too_many_items_are_counted(address):
    body = b'{"pairs": [' + b",".join([b'["a", "b"]'] * 10_000) + b"]}"
    assert post(address, body, "/similarity") == (422, "pairs must have at most 1024 items, got a list of 10,000")
    hundred_thousand = b'{"input": [' + b",".join([b'"a"'] * 100_000) + b"]}"
    answer = httpx.post(f"{address}/v1/embeddings", content=hundred_thousand, headers=JSON)
    assert answer.status_code == 413


def test_another_content_type_is_refused(address):
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        status, detail = post(address, b'{"query": "a"}', headers={"Content-Type": kind})
        assert status == 415
        assert "application/json" in detail


def test_what_is_not_there_is_said_so(address):
    answer = httpx.get(f"{address}/nothing")
    assert (answer.status_code, answer.json()["detail"]) == (404, "there is nothing at /nothing; see /docs")
    answer = httpx.delete(f"{address}/search")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert httpx.get(f"{address}/v1/nothing").json()["error"]["type"] == "invalid_request_error"


def test_an_error_of_the_program_is_no_answer_of_it(served_model):
    from tests.serving.running_service import LITTLE, running

    from selfsent.serving.service import Service

    service = Service.open(str(served_model[1]), device="cpu", limits=LITTLE)
    service.model.encode = None  # what no request can do
    with running(service) as address:
        answer = httpx.post(f"{address}/similarity", json={"pairs": [["a", "b"]]})
        assert (answer.status_code, answer.json()) == (500, {"detail": "the service failed; its log says why"})
        assert httpx.get(f"{address}/health").status_code == 200
