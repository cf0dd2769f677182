"""The web server: addresses, slow clients, bodies without end, overload, and a stop that finishes what was accepted."""

import contextlib
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import httpx
import pytest
from tests.serving.running_service import LITTLE, running

from selfsent.errors import UserError
from selfsent.serving.limits import Limits
from selfsent.serving.server import address_of, bound_socket
from selfsent.serving.service import Service

HEAD = "POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@contextmanager
def connected(address):
    host, _, port = address.removeprefix("http://").partition(":")
    with closing(socket.create_connection((host, int(port)), timeout=20)) as client:
        yield client


def answer_of(client):
    """Read until the server closes; the status, and all that came."""
    received = b""
    try:
        while piece := client.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return int(received.split(b" ", 2)[1]) if received else None, received


def test_a_port_in_use_and_a_host_of_elsewhere_are_refused():
    with bound_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert address_of(taken, "127.0.0.1") == f"http://127.0.0.1:{port}/"
        assert address_of(taken, "0.0.0.0") == f"http://localhost:{port}/"
        with pytest.raises(UserError, match=f"port {port} is in use"):
            bound_socket("127.0.0.1", port)
    bound_socket("127.0.0.1", port).close()
    with pytest.raises(UserError, match=r"192\.0\.2\.1 is not an address of this machine"):
        bound_socket("192.0.2.1", 0)
    with pytest.raises(UserError, match="not a name or an address"):
        bound_socket("nowhere.invalid", 0)


def test_a_body_that_never_ends_is_ended(address):
    with connected(address) as client:
        client.sendall((HEAD + "Transfer-Encoding: chunked\r\n\r\n").encode())
        chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
        num_sent = 0
        with contextlib.suppress(OSError):  # refused at 200,000 bytes, and closed
            while num_sent < 1000:
                client.sendall(chunk)
                num_sent += 1
        assert num_sent < 1000
    with connected(address) as client:
        client.sendall((HEAD + "Content-Length: 99999999999\r\n\r\n").encode())
        status, received = answer_of(client)
        assert status == 413
        assert b"the body must have at most 200,000 bytes, got more" in received


def test_a_slow_body_is_told_so_after_its_time(address):
    with connected(address) as client:
        client.sendall((HEAD + 'Content-Length: 90\r\n\r\n{"query"').encode())
        status, received = answer_of(client)
        assert status == 408
        assert b"must arrive within 1 s" in received


@pytest.mark.slow
def test_a_head_that_does_not_come_is_hung_up_on(address):
    for sent in (b"", b"GET /health HT", b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /he"):
        with connected(address) as client:
            client.sendall(sent)
            status, received = answer_of(client)  # ends, because the server closes
            assert status == (200 if b"\r\n\r\n" in sent else None)
            assert received.count(b"HTTP/1.1") <= 1


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /tree?text=" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 422),
        (b"GET /facts HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 400),
        (b"GET /facts HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
        (b"GET /facts HTTP/1.0\r\n\r\n", 403),
        (b"GET /tree?text=%ff%fe HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200),
        (b"GET /documents/%00%ff HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
    ],
)
def test_broken_http_gets_a_status(address, sent, status):
    with connected(address) as client:
        client.sendall(sent)
        assert answer_of(client)[0] == status


def test_ten_slow_clients_do_not_hold_up_the_eleventh(served_store):
    limits = Limits(body_timeout_s=20, head_timeout_s=20)
    with running(Service.open(str(served_store), device="cpu", limits=limits)) as address:
        httpx.post(f"{address}/search", json={"query": "cat"}, timeout=60)
        slow = [socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) for _ in range(10)]
        for number, client in enumerate(slow):
            client.sendall((HEAD + "Content-Length: 20\r\n\r\n{").encode() if number % 2 else b"GET / HT")
        assert httpx.post(f"{address}/search", json={"query": "cat"}, timeout=15).status_code == 200
        for client in slow:
            client.close()


class Held:
    """Holds the encoding of texts until it is let go."""

    def __init__(self, service):
        self._encode = service.model.encode
        self.go, self.began = threading.Event(), threading.Event()
        service.model.encode = self

    def __call__(self, *arguments):
        self.began.set()
        self.go.wait(100)
        return self._encode(*arguments)


def embed(address, num_texts=1):
    return httpx.post(f"{address}/v1/embeddings", json={"input": ["a"] * num_texts}, timeout=120)


def test_under_overload_some_are_answered_the_others_told_at_once_and_then_all_is_well(served_model):
    limits = Limits(max_waiting=4, texts_a_piece=1, answer_timeout_s=120)
    service = Service.open(str(served_model[1]), device="cpu", limits=limits)
    held = Held(service)
    with running(service) as address, ThreadPoolExecutor(12) as clients:
        asked = [clients.submit(embed, address)]
        assert held.began.wait(60)
        asked += [clients.submit(embed, address) for _ in range(4)]
        deadline = time.monotonic() + 60
        while sum(service.queue.num_waiting.values()) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        refused = embed(address)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["error"]["type"] == "rate_limit_error"
        assert httpx.get(f"{address}/health").status_code == 200
        held.go.set()
        assert [one.result().status_code for one in asked] == [200] * 5
        assert embed(address, 4).status_code == 200


def test_a_request_that_waits_too_long_is_told_so(served_model):
    service = Service.open(str(served_model[1]), device="cpu", limits=Limits(answer_timeout_s=0.2))
    held = Held(service)
    with running(service) as address:
        late = embed(address)
        assert (late.status_code, late.headers["retry-after"]) == (503, "5")
        assert "no answer in time" in late.json()["error"]["message"]
        held.go.set()
        assert embed(address).status_code == 200


def test_a_stop_finishes_what_was_accepted(served_model):
    service = Service.open(str(served_model[1]), device="cpu", limits=LITTLE)
    held = Held(service)
    with ThreadPoolExecutor(1) as clients:
        with running(service) as address:
            asked = clients.submit(embed, address)
            assert held.began.wait(10)
            threading.Timer(0.5, held.go.set).start()
        assert asked.result().status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/health")


def test_pipelined_requests_are_answered_in_order(address):
    body = json.dumps({"query": "cat", "k": 1})
    ask = f"{HEAD}Content-Length: {len(body)}\r\n\r\n{body}"
    with connected(address) as client:
        client.sendall((ask + ask + "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").encode())
        _, received = answer_of(client)
        assert received.count(b"HTTP/1.1 200") == 3
        assert received.endswith(b'{"status":"alive"}')
