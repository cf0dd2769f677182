"""Services with a store, with a model alone, and their addresses."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

# Without the extra `serve` there is nothing to test here; the page's own tests stand in a folder below.
collect_ignore_glob = [] if find_spec("fastapi") and find_spec("mcp") else ["test_*.py"]


@pytest.fixture(scope="session")
def served_model(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Any) -> tuple[Any, Path]:
    """A tree model with random weights, and its folder."""
    from tests.serving.running_service import save_tree_model

    folder = tmp_path_factory.mktemp("served") / "little-tree"
    return save_tree_model(tiny_tokenizer, folder), folder


@pytest.fixture(scope="session")
def served_store(tmp_path_factory: pytest.TempPathFactory, served_model: tuple[Any, Path]) -> Path:
    """A store of four documents; no test may change it."""
    from tests.serving.running_service import make_store

    return make_store(*served_model, tmp_path_factory.mktemp("served-store") / "store")


@pytest.fixture(scope="session")
def address(served_store: Path) -> Iterator[str]:
    """Where a service of that store answers."""
    yield from _address_of(served_store)


@pytest.fixture(scope="session")
def model_address(served_model: tuple[Any, Path]) -> Iterator[str]:
    """Where a service of a model alone answers."""
    yield from _address_of(served_model[1])


def _address_of(place: Path) -> Iterator[str]:
    from tests.serving.running_service import LITTLE, running

    from selfsent.serving.service import Service

    with running(Service.open(str(place), device="cpu", limits=LITTLE)) as found:
        yield found
