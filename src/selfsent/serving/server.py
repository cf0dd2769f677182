"""Run the service: bind the address, open model and store, then accept requests."""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from selfsent.errors import UserError
from selfsent.serving.access import App, is_everywhere
from selfsent.serving.limits import Limits

_LOG = logging.getLogger(__name__)


def bound_socket(host: str, port: int) -> socket.socket:
    """Take an address, without listening yet.

    Args:
        host: A name or an address of this machine.
        port: A port; 0 for any that is free.

    Raises:
        UserError: The port is in use or reserved, or the host is not an address of this machine.
    """
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise UserError(
            f"--host {host} is not a name or an address of this machine; leave it out, or name one"
        ) from error
    family, kind, protocol, _, address = found[0]
    taken = socket.socket(family, kind, protocol)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
        taken.listen(1)  # only this tells that somebody else is listening
    except OSError as error:
        taken.close()
        reasons = {
            errno.EADDRINUSE: f"port {port} is in use; stop what listens there, or name another with --port",
            errno.EACCES: f"port {port} is reserved; name one above 1023 with --port",
            errno.EADDRNOTAVAIL: f"--host {host} is not an address of this machine; leave it out, or name one",
        }
        reason = reasons.get(error.errno or 0, f"cannot listen on {host} port {port}: {error.strerror}; name another")
        raise UserError(reason) from error
    return taken


def address_of(taken: socket.socket, host: str) -> str:
    """Write the address that a browser opens."""
    name = "localhost" if is_everywhere(host) else host.strip("[]")
    return f"http://{f'[{name}]' if ':' in name else name}:{taken.getsockname()[1]}/"


def serve(app: App, taken: socket.socket, limits: Limits, on_started: Callable[[], None] = lambda: None) -> None:
    """Answer requests until the process is told to stop; what was accepted is finished first.

    Args:
        app: The application.
        taken: The socket, bound.
        limits: Connections and seconds.
        on_started: Called when requests are answered.
    """
    server = Server(app, limits, on_started)
    server.run(sockets=[taken])


class Server(uvicorn.Server):
    """The web server, with this service's limits.

    Args:
        app: The application.
        limits: Connections and seconds.
        on_started: Called when requests are answered.
    """

    def __init__(self, app: App, limits: Limits, on_started: Callable[[], None] = lambda: None) -> None:
        config: Any = uvicorn.Config
        super().__init__(
            config(
                app,
                http=partial(_Connection, limits=limits),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=15,
                timeout_graceful_shutdown=int(limits.body_timeout_s + limits.answer_timeout_s),
            )
        )
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        self._on_started()


class _Connection(H11Protocol):
    """A connection that is closed where a request's head does not come in time; the library would wait without end.

    Args:
        arguments: Those of the library.
        limits: Connections and seconds.
        named: Those of the library.
    """

    def __init__(self, *arguments: Any, limits: Limits, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._limits = limits
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a head."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.max_connections:
            transport.abort()
            return
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Take in what came; the head's time runs from its first byte."""
        before: Any = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._stop_waiting()
        elif self._head_timer is None and (before is None or before.response_complete):
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(self._limits.head_timeout_s, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
