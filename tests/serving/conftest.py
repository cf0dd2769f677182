"""Services with a store, with a model alone, and their addresses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve: pip install 'selfsent[serve]'")

from selfsent.serving.service import Service
from tests.serving.running_service import LITTLE, make_store, running, save_tree_model


@pytest.fixture(scope="session")
def served_model(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Any) -> tuple[Any, Path]:
    """A tree model with random weights, and its folder."""
    folder = tmp_path_factory.mktemp("served") / "little-tree"
    return save_tree_model(tiny_tokenizer, folder), folder


@pytest.fixture(scope="session")
def served_store(tmp_path_factory: pytest.TempPathFactory, served_model: tuple[Any, Path]) -> Path:
    """A store of four documents; no test may change it."""
    return make_store(*served_model, tmp_path_factory.mktemp("served-store") / "store")


@pytest.fixture(scope="session")
def address(served_store: Path) -> Iterator[str]:
    """Where a service of that store answers."""
    with running(Service.open(str(served_store), device="cpu", limits=LITTLE)) as found:
        yield found


@pytest.fixture(scope="session")
def model_address(served_model: tuple[Any, Path]) -> Iterator[str]:
    """Where a service of a model alone answers."""
    with running(Service.open(str(served_model[1]), device="cpu", limits=LITTLE)) as found:
        yield found
