"""The page, how the service is, and what can be asked of it."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from selfsent.serving.bodies import Problem, StatusOut
from selfsent.serving.endpoint_list import endpoint_list
from selfsent.serving.metrics import CONTENT_TYPE
from selfsent.serving.page_files import page_file
from selfsent.serving.problems import MissingError
from selfsent.serving.service import Service

_SHOWN: dict[str, Any] = {"response_class": Response, "include_in_schema": False}


def status_routes(service: Service) -> APIRouter:
    """Make the endpoints that say how the service is, and those of its page."""
    router = APIRouter(tags=["status"])

    @router.get("/health", response_model=StatusOut)
    async def health() -> dict[str, str]:
        """Say that the process answers."""
        return {"status": "alive"}

    @router.get("/ready", response_model=StatusOut, responses={503: {"model": Problem}})
    async def ready() -> Response:
        """Say whether a search would be answered now."""
        if service.queue.is_closed:
            return JSONResponse({"detail": "the service is being stopped"}, 503)
        return JSONResponse({"status": "ready"})

    @router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """Give the counts of the service, as Prometheus reads them."""
        return Response(service.metrics.written(service.queue.num_waiting), media_type=CONTENT_TYPE)

    @router.get("/", **_SHOWN)
    async def page() -> Response:
        return _file("index.html")

    @router.get("/page/{name}", **_SHOWN)
    @router.get("/assets/{name}", **_SHOWN)
    async def asset(name: str) -> Response:
        return _file(name)

    @router.get("/docs", **_SHOWN)
    async def docs(request: Request) -> Response:
        return Response(endpoint_list(request.app.openapi()), media_type="text/html")

    return router


def _file(name: str) -> Response:
    found = page_file(name)
    if found is None:
        raise MissingError(f"the page has no file {name[:80]!r}")
    return found
