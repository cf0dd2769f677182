"""A service that runs on a thread of the test's process, with a tiny tree model and a store of a few documents."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer

from selfsent.documents.document import Document
from selfsent.modules.tree_encoder import TreeEncoder
from selfsent.search.document_indexing import index_documents
from selfsent.serving.access import Access
from selfsent.serving.app import create_app
from selfsent.serving.limits import Limits
from selfsent.serving.server import Server, bound_socket
from selfsent.serving.service import Service

STRANGE = "notes/ä b?c#d%41\n'e\".md"
"""Id of a document with whatever a path of a file may have."""

DOCUMENTS = (
    Document(
        id="guide/cats.md",
        file="guide/cats.md",
        title="Cats",
        text="The cat sleeps on the warm roof.\n\nA cat is sleeping on a roof in the sun.",
    ),
    Document(
        id="guide/dogs.md", file="guide/dogs.md", title="Dogs", text="Two dogs run along the beach 😀 by the sea."
    ),
    Document(id=STRANGE, file=STRANGE, title="", text="Rain fell over the northern hills all night."),
    Document(id="budget", title="Budget", text="The committee approved the new budget today.", line=7),
)


def save_tree_model(tokenizer: Any, folder: Path, *, seed: int = 0) -> SentenceTransformer:
    """Save a tree model with random weights."""
    torch.manual_seed(seed)
    model = SentenceTransformer(modules=[TreeEncoder(tokenizer=tokenizer)], device="cpu")
    model.save_pretrained(str(folder))
    return model


def make_store(model: SentenceTransformer, model_path: Path, store: Path, documents=DOCUMENTS, **options: Any) -> Path:
    """Put documents into a store."""
    index_documents(model, documents, store, model_path=model_path, source="docs", **options)
    return store


@contextmanager
def running(service: Service, access: Access | None = None, app: Any = None) -> Iterator[str]:
    """Run a service while the block runs; gives its address."""
    taken = bound_socket("127.0.0.1", 0)
    started = threading.Event()
    server = Server(app or create_app(service, access), service.limits, started.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
    thread.start()
    assert started.wait(30)
    try:
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        service.close()


LITTLE = Limits(max_body_bytes=200_000, head_timeout_s=1.0, body_timeout_s=1.0)
"""Limits that a test reaches soon."""
