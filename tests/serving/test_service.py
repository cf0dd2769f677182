"""A service while its store changes: added to, made anew by another model, gone."""

import shutil
import subprocess
import sys
import time

import httpx
from tests.serving.running_service import DOCUMENTS, LITTLE, make_store, running, save_tree_model

from selfsent.documents.document import Document
from selfsent.serving.service import Service

NEW = Document(id="new.md", file="new.md", title="Harbour", text="The motor of the ship stopped in the harbour.")


def documents_found(address):
    answer = httpx.post(f"{address}/search", json={"query": "motor harbour", "k": 9, "mode": "text"}, timeout=60)
    return [hit["document"] for hit in answer.json()["hits"]] if answer.status_code == 200 else answer.status_code


def wait_for(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert condition()


def test_what_index_adds_and_removes_is_found_and_gone_at_once(served_model, tmp_path):
    model, folder = served_model
    store = make_store(model, folder, tmp_path / "store")
    with running(Service.open(str(store), device="cpu", limits=LITTLE)) as address:
        assert documents_found(address) == []
        make_store(model, folder, store, [*DOCUMENTS, NEW])
        assert documents_found(address) == ["new.md"]
        assert httpx.get(f"{address}/documents/new.md").status_code == 200
        make_store(model, folder, store, DOCUMENTS, forget=True)
        assert documents_found(address) == []
        assert httpx.get(f"{address}/documents/new.md").status_code == 404


def test_a_store_made_anew_by_another_model_is_opened_with_it(served_model, tiny_tokenizer, tmp_path):
    build = tmp_path / "build"
    first = save_tree_model(tiny_tokenizer, build / "model", seed=0)
    make_store(first, build / "model", build / "store")
    service = Service.open(str(build), device="cpu", limits=LITTLE)
    with running(service) as address:
        assert httpx.get(f"{address}/facts").json()["model"]["name"] == "build"
        before = httpx.post(f"{address}/v1/embeddings", json={"input": "a cat"}).json()["data"][0]["embedding"]
        second = save_tree_model(tiny_tokenizer, tmp_path / "aside", seed=1)
        for folder in (build / "model", build / "store"):
            shutil.rmtree(folder)
        shutil.move(tmp_path / "aside", build / "model")
        make_store(second, build / "model", build / "store", [NEW])
        time.sleep(1.1)  # the service looks once a second
        wait_for(lambda: documents_found(address) == ["new.md"])
        after = httpx.post(f"{address}/v1/embeddings", json={"input": "a cat"}).json()["data"][0]["embedding"]
        assert after != before
        (hit,) = httpx.post(f"{address}/search", json={"query": "harbour", "mode": "vector"}, timeout=60).json()["hits"]
        assert hit["document"] == "new.md"


def test_a_store_that_is_gone_is_an_error_until_it_is_back(served_model, tmp_path):
    model, folder = served_model
    store = make_store(model, folder, tmp_path / "store")
    with running(Service.open(str(store), device="cpu", limits=LITTLE)) as address:
        store.rename(tmp_path / "aside")
        time.sleep(1.1)  # the service looks once a second
        gone = httpx.post(f"{address}/search", json={"query": "cat"}, timeout=60)
        assert (gone.status_code, gone.headers["retry-after"]) == (503, "5")
        assert "not there at the moment" in gone.json()["detail"]
        assert httpx.get(f"{address}/health").status_code == 200
        (tmp_path / "aside").rename(store)
        assert documents_found(address) == []
        assert httpx.get(f"{address}/documents/budget").status_code == 200


def test_an_error_names_no_place_on_the_disk(served_store, served_model):
    service = Service.open(str(served_store), device="cpu")
    told = f"the store {served_store} ({served_store.resolve()}) is damaged"
    assert service.without_paths(told) == "the store store (store) is damaged"
    assert service.without_paths("plain") == "plain"
    service.close()
    shown = Service.open(str(served_store), device="cpu", show_paths=True)
    assert shown.without_paths(told) == told
    shown.close()


def test_services_and_agents_import_no_torch(served_store):
    code = (
        "import sys\nfrom selfsent.serving import agents, app\nfrom selfsent.serving.service import Service\n"
        f"service = Service.open({str(served_store)!r})\n"
        "print(type(service.model).__name__, [name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip().endswith(" []")
