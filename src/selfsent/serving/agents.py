"""The service for agents, by the Model Context Protocol: search, read a document, status."""

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from threading import Thread
from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from selfsent import __version__
from selfsent.errors import UserError
from selfsent.serving.access import Access, App, Guard
from selfsent.serving.bodies import MAX_QUERY_CHARACTERS, AnswersOut
from selfsent.serving.body_reader import BodyReader
from selfsent.serving.served_store import Asked
from selfsent.serving.server import serve
from selfsent.serving.service import Service
from selfsent.serving.work_queue import OverloadedError, StoppingError

PATH = "/mcp"
_MOST_ANSWERS = 50
_READ_CHARACTERS = 20_000
_INSTRUCTIONS = (
    "Search a person's documents, then read those that answer. Answers name a document, the passage of it that answers"
    " best, and where that stands in the document's text, in characters."
)

Open = Callable[[], Service]


class _Opening:
    """A service that is being opened while the first messages are exchanged: that takes seconds.

    Args:
        open_service: Opens it.
    """

    def __init__(self, open_service: Open) -> None:
        self._opened: Future[Service] = Future()
        Thread(target=self._open, args=(open_service,), daemon=True).start()

    async def service(self) -> Service:
        """Wait for the service.

        Raises:
            ToolError: It could not be opened.
        """
        try:
            return await asyncio.wrap_future(self._opened)
        except UserError as error:
            raise ToolError(str(error)) from error

    def close(self) -> None:
        """Finish what was accepted, if the service is open."""
        if self._opened.done() and self._opened.exception() is None:
            self._opened.result().close()

    def _open(self, open_service: Open) -> None:
        try:
            self._opened.set_result(open_service())
        except BaseException as error:  # noqa: BLE001 whoever waits is told
            self._opened.set_exception(error)


def agent_server(open_service: Open) -> MCPServer:
    """Make the server of the protocol, with its three tools.

    Args:
        open_service: Opens the service; called at once, on a thread.
    """
    opening = _Opening(open_service)

    @asynccontextmanager
    async def lifespan(_server: MCPServer) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await asyncio.to_thread(opening.close)

    server = MCPServer(
        "selfsent", version=__version__, instructions=_INSTRUCTIONS, lifespan=lifespan, log_level="WARNING"
    )

    @server.tool()
    async def search(
        query: Annotated[
            str, Field(min_length=1, max_length=MAX_QUERY_CHARACTERS, description="What to look for, in words.")
        ],
        k: Annotated[int, Field(ge=1, le=_MOST_ANSWERS, description="How many documents.")] = 5,
        mode: Annotated[
            Literal["hybrid", "vector", "text"], Field(description="Compare both, meanings alone, or words alone.")
        ] = "hybrid",
        where: Annotated[
            str | None, Field(description="A filter over columns, such as \"title LIKE 'Report%'\".")
        ] = None,
    ) -> AnswersOut:
        """Find the documents that answer a query, best first, each with its best passage."""
        asked = Asked(k=k, offset=0, mode=mode, where=where, all=False)
        service = await opening.service()
        found = await _work(service, "search", asked, lambda queries: service.answers(queries, asked), query)
        return AnswersOut.model_validate(found)

    @server.tool()
    async def read_document(
        document: Annotated[str, Field(description="The `document` of an answer.")],
        start: Annotated[int, Field(ge=0, description="First character to read.")] = 0,
        length: Annotated[int, Field(ge=1, le=100_000, description="How many characters.")] = _READ_CHARACTERS,
    ) -> dict[str, Any]:
        """Read the text of a document, or a part of a long one."""
        service = await opening.service()
        found = await _work(service, "document", document, service.documents, document)
        text: str = found["text"]
        part = text[start : start + length]
        named = {name: found[name] for name in ("document", "title", "file") if name in found}
        return {**named, "start": start, "end": start + len(part), "characters": len(text), "text": part}

    @server.tool()
    async def status() -> dict[str, Any]:
        """Say what can be searched: how many documents, which columns, and by which model."""
        service = await opening.service()
        return await _work(service, "facts", None, lambda some: [service.facts()] * len(some), None)

    return server


async def _work(service: Service, kind: str, key: Any, run: Callable[[list[Any]], Sequence[Any]], item: Any) -> Any:
    """Have one piece of work done; what goes wrong is told to the agent in one line."""
    try:
        return (await service.work(kind, key, run, [item]))[0]
    except (UserError, OverloadedError, StoppingError) as error:
        raise ToolError(service.without_paths(str(error))) from error
    except TimeoutError as error:
        raise ToolError("there was no answer in time; ask for less, or later") from error


def serve_stdio(store: str, *, model: str | None, device: str | None, show_paths: bool) -> None:
    """Speak with one agent on standard input and output, until it closes them.

    Args:
        store: The store, or the folder of a ``build``.
        model: Where its model is, if it was moved.
        device: Where to put the model.
        show_paths: Whether answers say which files they are from.
    """
    server = agent_server(lambda: Service.open(store, model=model, device=device, show_paths=show_paths))
    server.run("stdio")


def serve_http(
    store: str,
    taken: socket.socket,
    access: Access,
    on_started: Callable[[], None],
    *,
    model: str | None,
    device: str | None,
    show_paths: bool,
) -> None:
    """Speak with agents over HTTP, at ``/mcp``, until the process is told to stop.

    Args:
        store: The store, or the folder of a ``build``.
        taken: The socket, bound.
        access: Who may enter.
        on_started: Called when requests are answered.
        model: Where the store's model is, if it was moved.
        device: Where to put the model.
        show_paths: Whether answers say which files they are from.

    Raises:
        UserError: The store or its model cannot be opened.
    """
    service = Service.open(store, model=model, device=device, show_paths=show_paths)
    logging.getLogger("mcp").setLevel(logging.WARNING)
    serve(agent_app(service, access), taken, service.limits, on_started)


def agent_app(service: Service, access: Access) -> App:
    """Make the application that speaks with agents over HTTP.

    Each call stands alone: there are no sessions to keep, so that a server may be restarted between two of them.

    Args:
        service: The open store.
        access: Who may enter.
    """
    app: App = agent_server(lambda: service).streamable_http_app(
        streamable_http_path=PATH, stateless_http=True, json_response=True, transport_security=None, host=access.host
    )
    return Guard(BodyReader(app, service.limits), access, max_requests=service.limits.max_requests)
