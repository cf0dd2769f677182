"""Sending a model to the hub, against a stand-in that keeps what it receives."""

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
from tests.command_line import typed

from selfsent.errors import UserError
from selfsent.runs.publishing import publish, require_access


@dataclass
class Hub:
    """What the stand-in knows: who may enter, and what it was sent."""

    address: str = ""
    token: str = "hf_right"
    repositories: dict[str, bool] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)


class Answering(BaseHTTPRequestHandler):
    """The requests of an upload, as the hub answers them; every file is asked for within the commit."""

    hub: Hub

    def log_message(self, *_: Any) -> None:
        pass

    def answer(self, body: dict[str, Any], status: int = 200) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def is_known(self) -> bool:
        if self.headers.get("Authorization") == f"Bearer {self.hub.token}":
            return True
        self.answer({"error": "Invalid credentials"}, 401)
        return False

    def do_GET(self) -> None:
        if self.is_known():
            self.answer({"name": "ann", "sha": "0" * 40, "siblings": [], "id": "ann/model"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.is_known():
            steps = {"create": self.create, "preupload": self.preupload, "commit": self.commit}
            known = [step for name, step in steps.items() if f"/{name}" in self.path]
            self.answer(known[0](body) if known else {})

    def create(self, body: bytes) -> dict[str, Any]:
        asked = json.loads(body)
        self.hub.repositories[f"ann/{asked['name']}"] = bool(asked.get("private") or asked.get("visibility"))
        return {"url": f"{self.hub.address}/ann/{asked['name']}"}

    def preupload(self, body: bytes) -> dict[str, Any]:
        mode = {"uploadMode": "regular", "shouldIgnore": False}
        return {"files": [{"path": one["path"], **mode} for one in json.loads(body)["files"]]}

    def commit(self, body: bytes) -> dict[str, Any]:
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "file":
                self.hub.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        return {"commitUrl": f"{self.hub.address}/ann/model/commit/1", "commitOid": "1" * 40, "success": True}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("ForOneTest", (Answering,), {"hub": hub}))
    hub.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", hub.address)
    monkeypatch.setenv("HF_TOKEN", hub.token)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    yield hub
    server.shutdown()
    server.server_close()


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A finished run: a model of two files and a folder, and what is no part of it."""
    folder = tmp_path / "run"
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "checkpoints").mkdir()
    for name in ("modules.json", "README.md", "1_Pooling/config.json", "metrics.jsonl", "checkpoints/weights"):
        (folder / name).write_text(f"content of {name}", encoding="utf8")
    record = {"status": "finished", "files": ["README.md", "1_Pooling", "modules.json"]}
    (folder / "run.json").write_text(json.dumps(record), encoding="utf8")
    return folder


def test_the_files_of_the_model_are_sent_to_a_private_repository_and_nothing_else(hub: Hub, finished: Path):
    require_access("model")
    assert publish(finished, "model").startswith(hub.address)
    assert hub.repositories == {"ann/model": True}
    assert set(hub.files) - {".gitattributes"} == {"README.md", "modules.json", "1_Pooling/config.json"}
    assert hub.files["1_Pooling/config.json"] == b"content of 1_Pooling/config.json"


def test_train_sends_what_it_has_trained(hub: Hub, tmp_path: Path, sentences: list[str]):
    notes, output = tmp_path / "notes.txt", tmp_path / "run"
    notes.write_text("\n".join(sentences * 2), encoding="utf8")
    steps = ("--max-steps", 2, "--batch-size", 4)
    done = typed("train", "self-strae", "--data", notes, "--output", output, *steps, "--push", "model")
    assert done.code == 0, done.err
    assert f"model sent to {hub.address}/ann/model" in done.out.replace("\n", "")
    weights = next(output.rglob("*.safetensors"))
    assert hub.files["README.md"] == (output / "README.md").read_bytes()
    assert {"run.json", "metrics.jsonl"}.isdisjoint(hub.files)
    assert any(content == weights.read_bytes() for content in hub.files.values())


def test_who_is_not_known_to_the_hub_is_told_before_any_training(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(UserError, match=r"cannot send a model to model: .*hf auth login"):
        require_access("model")
    assert hub.repositories == {}


def test_a_hub_that_cannot_be_reached_is_one_line(monkeypatch: pytest.MonkeyPatch, hub: Hub, finished: Path):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"cannot send .*run to model: .*the model is unharmed"):
        publish(finished, "model")


def test_an_unfinished_run_is_not_sent(hub: Hub, finished: Path):
    (finished / "run.json").write_text(json.dumps({"status": "running"}), encoding="utf8")
    with pytest.raises(UserError, match="must hold a finished run"):
        publish(finished, "model")
    assert hub.files == {}
