"""What goes wrong before Ray has started is one line, quickly."""

import importlib.metadata
import socket
import sys
import time

import pytest

from selfsent.errors import UserError
from selfsent.search.ray_engine import RayEngine, engine_of


def test_engines_are_chosen_by_name():
    assert engine_of("local") is None
    with pytest.raises(UserError, match="--address auto is for --engine ray"):
        engine_of("local", "auto")
    with pytest.raises(UserError, match="engine must be one of local, ray"):
        engine_of("rai")  # pyright: ignore[reportArgumentType] on purpose


def test_without_the_extra_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "lance_ray", None)
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "99.0")
    with pytest.raises(UserError, match=r"needs ray and lance-ray: `pip install 'selfsent\[ray\]'`"):
        RayEngine()


def test_an_old_ray_is_refused(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "2.9.3")
    with pytest.raises(UserError, match=r"needs ray 2\.51 or later, got 2\.9\.3"):
        RayEngine()


@pytest.mark.parametrize("address", ["somewhere", "host:port", "ray://10.0.0.1:10001", ":6379"])
def test_what_is_no_address_is_refused(address):
    pytest.importorskip("lance_ray")
    with pytest.raises(UserError, match="must be auto or HOST:PORT"):
        RayEngine(address)


def test_an_address_where_nobody_answers_is_refused_at_once():
    pytest.importorskip("lance_ray")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(UserError, match=f"nobody answers at 127.0.0.1:{port}"):
        RayEngine(f"127.0.0.1:{port}")
    assert time.monotonic() - began < 10
