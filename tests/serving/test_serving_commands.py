"""The commands ``serve`` and ``mcp``, as a person types them: what is refused at the start, and a run to its end."""

import os
import re
import signal
import subprocess
import sys

import httpx
import pytest
from tests.command_line import refused, typed

from selfsent.serving.server import bound_socket
from selfsent.serving_commands import require_extra, require_place

HEAVY = ("torch", "sentence_transformers", "transformers", "lancedb", "fastapi", "uvicorn")


def python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
        timeout=120,
    )


def test_a_missing_key_is_told_before_anything_heavy_is_imported():
    done = python(
        "import sys\nfrom selfsent.cli import main\nsys.argv = ['selfsent', 'serve', 'nowhere', '--host', '0.0.0.0']\n"
        f"try: main()\nfinally: print([name for name in {HEAVY} if name in sys.modules])",
        SELFSENT_API_KEY="",
    )
    assert done.returncode == 2
    assert done.stdout.strip() == "[]"
    (line,) = done.stderr.splitlines()
    assert "SELFSENT_API_KEY" in line


@pytest.mark.parametrize("command", ["serve", "mcp"])
def test_a_place_where_nothing_is_is_one_line(command, tmp_path):
    refused(typed(command, tmp_path / "nothing"), "nothing", "selfsent build")


def test_a_folder_of_something_else_is_one_line(tmp_path, served_model):
    (tmp_path / "letter.txt").write_text("Dear", "utf8")
    refused(typed("serve", tmp_path, "--port", 0), "modules.json")
    refused(typed("mcp", tmp_path), "no finished store in")
    refused(typed("mcp", served_model[1]), "is a model, not a store", "selfsent index")


def test_a_port_in_use_is_one_line(served_store):
    with bound_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        refused(typed("serve", served_store, "--port", port), f"port {port} is in use", "--port")
        refused(typed("mcp", served_store, "--http", "--port", port), f"port {port} is in use")


def test_a_model_without_its_tokenizer_is_one_line(served_model, tmp_path):
    import shutil

    copy = tmp_path / "bare"
    shutil.copytree(served_model[1], copy)
    for file in copy.rglob("tokenizer*"):
        file.unlink()
    refused(typed("serve", copy, "--port", 0), "bare", "tokenizer")


def test_a_store_of_a_later_version_is_one_line(served_model, tmp_path):
    import json

    from tests.serving.running_service import make_store

    from selfsent.search.store import MODEL_KEY, Store

    store = make_store(*served_model, tmp_path / "store")
    table = Store.open(store).table
    record = json.loads(Store.open(store).model.to_json()) | {"hash_version": 99}
    table.update_field_metadata({"path": "vector", "metadata": {MODEL_KEY: json.dumps(record)}})
    refused(typed("serve", store, "--port", 0), "later version", "upgrade selfsent")


def test_an_extra_that_is_not_installed_is_named():
    with pytest.raises(ValueError, match=r"needs nowhere_to_be_found: `pip install 'selfsent\[serve\]'`"):
        require_extra("json", "nowhere_to_be_found")
    require_place("a-name/on-the-hub")


def test_serve_says_where_answers_and_ends_when_it_is_told_to(served_store):
    process = subprocess.Popen(
        [sys.executable, "-m", "selfsent", "serve", str(served_store), "--port", "0", "--device", "cpu"],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"SELFSENT_API_KEY": "secret"},
    )
    try:
        line = process.stderr.readline()
        (address,) = re.findall(r"http://127\.0\.0\.1:\d+/", line)
        assert line.startswith("little-tree is served at")
        headers = {"Authorization": "Bearer secret"}
        found = httpx.post(f"{address}search", json={"query": "cat"}, headers=headers, timeout=60)
        assert found.json()["hits"]
        assert httpx.get(f"{address}facts").status_code == 401
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr.read().splitlines() == ["interrupted"]
    finally:
        process.kill()
        process.wait()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}health")
