"""Endpoints of the model: trees, similarities and facts."""

from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from numpy.typing import NDArray

from selfsent.serving.bodies import MAX_QUERY_CHARACTERS, FactsOut, PairsBody, SimilaritiesOut, TreeOut
from selfsent.serving.service import Service
from selfsent.serving.store_routes import REFUSALS

_SVG_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'"


def model_routes(service: Service) -> APIRouter:
    """Make the endpoints of a service's model."""
    router = APIRouter(tags=["model"], responses=REFUSALS)

    @router.get("/tree", response_model=None, responses={200: {"model": TreeOut, "content": {"image/svg+xml": {}}}})
    async def tree(
        text: Annotated[str, Query(min_length=1, max_length=MAX_QUERY_CHARACTERS)],
        format: Literal["json", "svg"] = "json",  # noqa: A002 as the parameter
    ) -> Response:
        """Give the tree that a tree model sees in a text, as nodes in characters of the text or as a picture."""
        service.model.require_trees()
        if format == "svg":
            pictures = await service.work("tree", "svg", lambda texts: list(map(service.model.picture, texts)), [text])
            return Response(pictures[0], media_type="image/svg+xml", headers={"Content-Security-Policy": _SVG_POLICY})
        nodes = await service.work("tree", "json", lambda texts: list(map(service.model.nodes, texts)), [text])
        return JSONResponse({"text": text, "nodes": nodes[0]})

    @router.post("/similarity", response_model=None, responses={200: {"model": SimilaritiesOut}})
    async def similarity(body: PairsBody) -> Response:
        """Give the cosine of each pair of texts; 0 where the model knows no token of one."""
        texts = [text for pair in body.pairs for text in pair]
        vectors = await service.work("encode", "similarity", lambda some: list(service.model.encode(some)), texts)
        return JSONResponse({"similarities": _cosines(np.array(vectors, dtype=np.float64))})

    @router.get("/facts", response_model=None, responses={200: {"model": FactsOut}})
    async def facts() -> Response:
        """Say what the service speaks with."""
        found = await service.work("facts", None, lambda some: [service.facts()] * len(some), [None])
        return JSONResponse(found[0])

    return router


def _cosines(vectors: NDArray[np.float64]) -> list[float]:
    if not vectors.size:
        return []
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Any = vectors / np.where(lengths > 0, lengths, 1)
    return (unit[::2] * unit[1::2]).sum(axis=1).clip(-1, 1).tolist()
