"""The service over HTTP: the application with its endpoints, and what stands around them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from selfsent import __version__
from selfsent.serving.access import Access, Guard
from selfsent.serving.body_reader import BodyReader
from selfsent.serving.metrics import Counted
from selfsent.serving.model_routes import model_routes
from selfsent.serving.openai_routes import openai_routes
from selfsent.serving.page_files import SafeHeaders
from selfsent.serving.problems import add_handlers
from selfsent.serving.service import Service
from selfsent.serving.status_routes import status_routes
from selfsent.serving.store_routes import store_routes

_DESCRIPTION = (
    "Search in a person's documents, and the embeddings behind it. Texts are Unicode, offsets count its characters, and"
    " what is wrong with a request is told in one line."
)


def create_app(service: Service, access: Access | None = None) -> FastAPI:
    """Make the application of a service.

    Args:
        service: The open model, and perhaps its store. It is closed when the application stops, after what was accepted
            is done.
        access: Who may enter; default: whoever reaches it on this machine.

    Returns:
        The application, ready for ``uvicorn``.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        yield
        await asyncio.to_thread(service.close)

    app = FastAPI(
        title="selfsent",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    add_handlers(app, service)
    for routes in (store_routes, model_routes, openai_routes, status_routes):
        app.include_router(routes(service))
    app.add_middleware(BodyReader, limits=service.limits)
    app.add_middleware(Guard, access=access or Access(), max_requests=service.limits.max_requests)
    app.add_middleware(Counted, metrics=service.metrics)
    app.add_middleware(SafeHeaders)
    return app
