"""The whole API against its own description: requests that fit it, and requests that do not."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import positive_data_acceptance  # a filter is a text, but not every text is a filter
from tests.serving.running_service import running

from selfsent.serving.limits import Limits
from selfsent.serving.service import Service

EXAMPLES = settings(
    max_examples=12,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)


@pytest.fixture(scope="module")
def description(served_store: Any) -> Iterator[Any]:
    with running(Service.open(str(served_store), device="cpu", limits=Limits())) as address:
        yield schemathesis.openapi.from_url(f"{address}/openapi.json")


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_every_endpoint_answers_as_it_is_described(description, mode):
    asked: set[str] = set()
    for found in description.get_all_operations():
        operation = found.ok()
        if mode is schemathesis.GenerationMode.POSITIVE or len(operation.body) or len(operation.query):
            _ask(operation.as_strategy(generation_mode=mode), asked)
    assert {"POST /search", "POST /v1/embeddings", "POST /similarity", "GET /tree"} <= asked
    if mode is schemathesis.GenerationMode.POSITIVE:
        assert {"GET /documents/{document}", "GET /map", "GET /facts", "GET /v1/models", "GET /metrics"} <= asked


def _ask(cases: Any, asked: set[str]) -> None:
    @EXAMPLES
    @given(case=cases)
    def ask(case: Any) -> None:
        asked.add(case.operation.label)
        case.call_and_validate(timeout=60, excluded_checks=[positive_data_acceptance])

    ask()
