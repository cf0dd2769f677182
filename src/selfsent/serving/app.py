"""The service over HTTP: one function of FastAPI an endpoint."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import FastAPI, HTTPException, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from selfsent.serving.model import NotATree, Prompt
from selfsent.serving.served_store import Asked, NoDocument
from selfsent.serving.service import Service

PAGE = files("selfsent.serving").joinpath("page")
KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
class SearchBody(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    query: str
    k: int = Field(10, ge=1, le=200)
    mode: Literal["hybrid", "vector", "text"] | None = None
    where: str | None = None
    offset: int = Field(0, ge=0)
    all: bool = False

class Pairs(BaseModel):
    pairs: list[list[str]]

class Embed(BaseModel):
    model_config = ConfigDict(strict=True)
    input: str | list[str]
    model: str = ""
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None

def create_app(service: Service) -> FastAPI:
    app = FastAPI(title="selfsent", docs_url=None, redoc_url=None)

    def asset(name: str) -> Response:
        file = PAGE.joinpath(name)
        if "/" in name or not file.is_file():
            raise HTTPException(404, f"no such file: {name}")
        return Response(file.read_bytes(), media_type=KINDS.get(name.rsplit(".")[-1]))

    @app.get("/")
    async def page() -> Response:
        return asset("index.html")

    app.get("/assets/{name}")(asset)
    app.get("/page/{name}")(asset)

    @app.post("/search")
    async def search(body: SearchBody) -> Any:
        asked = Asked(body.k, body.offset, body.mode or "hybrid", body.where, body.all)
        return JSONResponse((await service.work("search", asked, lambda q: service.store.answers(q, asked), [body.query]))[0])

    @app.get("/documents/{name:path}")
    async def document(name: str) -> Any:
        try:
            return JSONResponse((await service.work("document", 0, lambda n: [service.store.document(x) for x in n], [name]))[0])
        except NoDocument as e:
            raise HTTPException(404, str(e))

    @app.get("/tree")
    async def tree(text: str, format: str = "json") -> Any:
        try:
            if format == "svg":
                return Response((await service.work("tree", "svg", lambda n: [service.model.picture(x) for x in n], [text]))[0], media_type="image/svg+xml")
            return {"text": text, "nodes": (await service.work("tree", 0, lambda n: [service.model.nodes(x) for x in n], [text]))[0]}
        except NotATree as e:
            raise HTTPException(404, str(e))

    @app.post("/similarity")
    async def similarity(body: Pairs) -> Any:
        texts = [t for p in body.pairs for t in p]
        v = np.array(await service.work("encode", None, service.model.encode, texts))
        v = v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-12)
        return {"similarities": [float(c) for c in (v[::2] * v[1::2]).sum(axis=1)]}

    @app.get("/facts")
    async def facts() -> Any:
        s = (await service.work("facts", 0, lambda n: [service.store.facts()], [0]))[0] if service.store else {}
        return {"model": service.model.facts(), "store": s, "report": bool(service.report and service.report.is_file())}

    @app.get("/report")
    async def report() -> Response:
        return Response(service.report.read_bytes(), media_type="text/html")

    @app.get("/map")
    async def map_() -> Any:
        return JSONResponse({"status": "computing"}, 202)
    return app
