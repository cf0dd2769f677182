"""Endpoints of a store: searches, documents, the map and the report."""

import asyncio
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from starlette.convertors import Convertor, register_url_convertor

from selfsent.serving.bodies import MAX_HITS, AnswersOut, DocumentOut, MapOut, Problem, SearchBody, StatusOut
from selfsent.serving.page_files import REPORT_POLICY
from selfsent.serving.problems import MissingError
from selfsent.serving.served_store import Asked
from selfsent.serving.service import Service
from selfsent.serving.shown_report import shown_report

REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The body is not JSON, or not UTF-8"},
    401: {"model": Problem, "description": "The key is missing or wrong"},
    403: {"model": Problem, "description": "Asked by another name, or from a page of another origin"},
    404: {"model": Problem, "description": "There is no such thing here"},
    408: {"model": Problem, "description": "The body came too slowly"},
    413: {"model": Problem, "description": "The body is too long"},
    415: {"model": Problem, "description": "The body is not declared as JSON"},
    422: {"model": Problem, "description": "A value is wrong"},
    429: {"model": Problem, "description": "Too much is waiting; ask again after `Retry-After` seconds"},
    503: {"model": Problem, "description": "The service is stopping, or there was no answer in time"},
}


class _Anything(Convertor[str]):
    """A part of a path with whatever is in it, slashes and line breaks too."""

    regex = "[\\s\\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("anything", _Anything())


def store_routes(service: Service) -> APIRouter:
    """Make the endpoints of a service's store; without a store they say so."""
    router = APIRouter(tags=["documents"], responses=REFUSALS)

    @router.post("/search", response_model=None, responses={200: {"model": AnswersOut}})
    async def search(body: SearchBody) -> Response:
        """Find the documents that answer a query, each with its best passage and what of it matches."""
        _require_store(service)
        if body.offset + body.k > MAX_HITS:
            raise MissingError(
                f"offset + k must be at most {MAX_HITS:,}, got {body.offset + body.k:,}; ask a narrower question"
            )
        asked = Asked(k=body.k, offset=body.offset, mode=body.mode or "hybrid", where=body.where, all=body.all)
        found = await service.work("search", asked, lambda queries: service.answers(queries, asked), [body.query])
        return JSONResponse(found[0])

    @router.get("/documents/{document:anything}", response_model=None, responses={200: {"model": DocumentOut}})
    async def document(document: str) -> Response:
        """Give a document whole, and where its passages stand in it."""
        _require_store(service)
        found = await service.work("document", document, service.documents, [document])
        return JSONResponse(found[0])

    @router.get(
        "/map",
        response_model=None,
        responses={200: {"model": MapOut}, 202: {"model": StatusOut, "description": "Wait"}},
    )
    async def map_of_corpus() -> Response:
        """Give the passages in two dimensions; 202 while they are being laid out."""
        _require_store(service)
        assert service.map is not None, "there is a store"  # noqa: S101 our own invariant
        content = await asyncio.to_thread(service.map.content)
        if content is None:
            return JSONResponse({"status": "computing"}, 202, headers={"Retry-After": "2"})
        return Response(content, media_type="application/json")

    @router.get("/report", response_class=Response, responses={200: {"content": {"text/html": {}}}})
    async def report() -> Response:
        """Show the report that `selfsent build` wrote."""
        file = service.report
        if file is None:
            raise MissingError("there is no report: the store was not made by `selfsent build`")
        show_paths = service.store is not None and service.store.show_paths
        content = await asyncio.to_thread(shown_report, file, show_paths=show_paths)
        return Response(content, media_type="text/html", headers={"Content-Security-Policy": REPORT_POLICY})

    return router


def _require_store(service: Service) -> None:
    if service.store is None:
        raise MissingError(
            f"only the model {service.model.name} is served, no documents; name a store to `selfsent serve`"
        )
