"""Who may enter."""

import socket

import httpx
import pytest
from tests.serving.running_service import LITTLE, running

from selfsent.errors import UserError
from selfsent.serving.access import Access, is_loopback, require_key
from selfsent.serving.service import Service


@pytest.mark.parametrize(
    ("host", "header", "is_allowed"),
    [
        ("127.0.0.1", "localhost:8000", True),
        ("127.0.0.1", "127.0.0.1:9", True),
        ("127.0.0.1", "[::1]:8000", True),
        ("127.0.0.1", "LOCALHOST", True),
        ("127.0.0.1", "evil.example", False),
        ("127.0.0.1", "localhost.evil.example:8000", False),
        ("127.0.0.1", "192.168.1.7:8000", False),
        ("127.0.0.1", "", False),
        ("box.lan", "box.lan:8000", True),
        ("box.lan", "other.lan:8000", False),
        ("0.0.0.0", "192.168.1.7:8000", True),
        ("0.0.0.0", socket.gethostname(), True),
        ("0.0.0.0", "evil.example:8000", False),
    ],
)
def test_a_host_is_a_loopback_name_or_what_was_named(host, header, is_allowed):
    assert Access(host=host, key="k").allows_host(header) is is_allowed


@pytest.mark.parametrize(
    ("shown", "is_allowed"),
    [
        (b"Bearer secret", True),
        (b"bearer secret", True),
        (b"Bearer secret2", False),
        (b"Bearer ", False),
        (b"", False),
        (b"Basic secret", False),
        (b"Bearer \xff", False),
    ],
)
def test_a_key_is_the_right_one_or_none(shown, is_allowed):
    assert Access(key="secret").allows_key(shown) is is_allowed


def test_listening_elsewhere_requires_a_key():
    require_key("127.0.0.1", None)
    require_key("localhost", None)
    require_key("::1", None)
    require_key("0.0.0.0", "secret")
    for host in ("0.0.0.0", "::", "192.168.1.7", "box.lan"):
        assert not is_loopback(host)
        with pytest.raises(UserError, match="SELFSENT_API_KEY"):
            require_key(host, None)
    with pytest.raises(UserError, match="empty"):
        require_key("127.0.0.1", "")
    with pytest.raises(UserError, match="ASCII"):
        Access(key="schlüssel")


def test_another_host_and_another_origin_are_refused(address):
    refused = httpx.get(f"{address}/facts", headers={"Host": "evil.example"})
    assert (refused.status_code, "evil.example" in refused.json()["detail"]) == (403, True)
    refused = httpx.get(f"{address}/facts", headers={"Origin": "https://evil.example"})
    assert (refused.status_code, "evil.example" in refused.json()["detail"]) == (403, True)
    assert httpx.get(f"{address}/facts", headers={"Origin": "null"}).status_code == 403
    assert httpx.get(f"{address}/facts", headers={"Origin": address}).status_code == 200
    asked = httpx.options(f"{address}/search", headers={"Origin": address, "Access-Control-Request-Method": "POST"})
    assert not [name for name in asked.headers if name.startswith("access-control")]


def test_with_a_key_data_needs_it_and_the_page_does_not(served_store):
    service = Service.open(str(served_store), device="cpu", limits=LITTLE)
    with running(service, Access(key="secret")) as address:
        for path in ("/", "/health", "/ready", "/docs", "/openapi.json", "/page/main.js"):
            assert httpx.get(address + path).status_code == 200, path
        for path in ("/facts", "/map", "/metrics", "/report", "/tree?text=a", "/documents/budget", "/v1/models"):
            refused = httpx.get(address + path)
            assert refused.status_code == 401, path
            assert refused.headers["www-authenticate"] == "Bearer"
            assert httpx.get(address + path, headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert httpx.get(f"{address}/facts", headers={"Authorization": "Bearer secret"}).status_code == 200
        assert httpx.get(f"{address}/v1/models").json()["error"]["type"] == "authentication_error"
