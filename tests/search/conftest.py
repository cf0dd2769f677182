"""Fixtures that the tests of stores share."""

from collections.abc import Iterator

import pytest

from selfsent.search.ray_engine import RayEngine


@pytest.fixture(scope="module")
def engine() -> Iterator[RayEngine]:
    """One Ray for all tests of a file: to start it takes as long as they do."""
    import ray

    started = RayEngine()
    yield started
    ray.shutdown()
