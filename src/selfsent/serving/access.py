"""Access control: host names, origins and the API key, checked before a request is read."""

import hmac
import ipaddress
import json
import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

from selfsent.errors import UserError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

KEY_VARIABLE = "SELFSENT_API_KEY"
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_WITHOUT_KEY = ("/page/", "/assets/")
_PLACES_WITHOUT_KEY = frozenset({"/", "/health", "/ready", "/docs", "/openapi.json"})


@dataclass(frozen=True, kw_only=True)
class Access:
    """Access control of a service.

    Args:
        host: Where the service listens: a name or an address.
        key: API key that clients must send; None lets everybody in who reaches the service.

    Raises:
        UserError: The key cannot be sent in a header.
    """

    host: str = "127.0.0.1"
    key: str | None = None

    def __post_init__(self) -> None:
        if self.key is not None and not (
            self.key.isascii() and self.key.isprintable() and self.key.strip() == self.key
        ):
            raise UserError("the API key must be printable ASCII without blanks at its ends; choose another")

    def allows_host(self, header: str) -> bool:
        """Whether a ``Host`` header names this service: a loopback name, or what it listens on.

        A name that somebody else's server made point here (DNS rebinding) is refused. Where the service listens on
        every address of the machine, its addresses and its own name are what it listens on.
        """
        name = _name_in(header)
        if name in _LOOPBACK_NAMES or name == self.host.lower().strip("[]"):
            return True
        return is_everywhere(self.host) and (_is_address(name) or name in _own_names())

    def allows_origin(self, origin: str, host: str) -> bool:
        """Whether a page that asks is one of this service's own."""
        return origin.lower() in {f"http://{host.lower()}", f"https://{host.lower()}"}

    def allows_key(self, authorization: bytes) -> bool:
        """Whether a request shows the key; the comparison takes as long for a wrong one as for the right one."""
        if self.key is None:
            return True
        scheme, _, shown = authorization.partition(b" ")
        return hmac.compare_digest(shown.strip(), self.key.encode()) and scheme.lower() == b"bearer"


def require_key(host: str, key: str | None) -> None:
    """Refuse to listen where others can reach the service without a key.

    Raises:
        UserError: ``host`` is not this machine alone, and there is no key.
    """
    if key == "":
        raise UserError(f"--api-key is empty; give a key, or set ${KEY_VARIABLE}")
    if key is None and not is_loopback(host):
        raise UserError(
            f"--host {host} can be reached from other machines, and there is no key; set ${KEY_VARIABLE} or pass"
            " --api-key, or leave --host out to listen on this machine alone"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host name or address."""
    name = host.lower().strip("[]")
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def is_everywhere(host: str) -> bool:
    """Whether a host stands for all addresses of the machine."""
    return host in {"0.0.0.0", "::", "[::]"}  # noqa: S104 compared, not listened on


class Guard:
    """Lets requests in, or answers why not.

    Args:
        app: The application behind.
        access: Who may enter.
        max_requests: Requests that are being read or answered at once; a further one is told to try again.
    """

    def __init__(self, app: App, access: Access, *, max_requests: int) -> None:
        self._app = app
        self._access = access
        self._max_requests = max_requests
        self._num_requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            status, detail, headers = refusal
            await send_problem(send, status, detail, headers, is_openai=scope["path"].startswith("/v1/"))
            return
        self._num_requests += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._num_requests -= 1

    def _refusal(self, scope: Scope) -> tuple[int, str, dict[str, str]] | None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        host, origin = headers.get(b"host", b"").decode("latin1"), headers.get(b"origin", b"").decode("latin1")
        if not self._access.allows_host(host):
            named = f"the Host header {host[:100]!r} does not name this service"
            return 403, f"{named}; use localhost, or the name that --host gives it", {}
        if origin and not self._access.allows_origin(origin, host):
            return (
                403,
                f"pages of {origin[:100]!r} may not use this service; use its own page, or a program",
                {},
            )
        path = scope["path"]
        is_open = path in _PLACES_WITHOUT_KEY or path.startswith(_WITHOUT_KEY)
        if not is_open and not self._access.allows_key(headers.get(b"authorization", b"")):
            detail = "the key is missing or wrong; send the header `Authorization: Bearer KEY`"
            return 401, detail, {"WWW-Authenticate": "Bearer"}
        if self._num_requests >= self._max_requests and path not in _PLACES_WITHOUT_KEY:
            return 429, "the service is busy; ask again in 1 s", {"Retry-After": "1"}
        return None


async def send_problem(
    send: Send, status: int, detail: str, headers: Iterable[tuple[str, str]] | dict[str, str] = (), *, is_openai: bool
) -> None:
    """Send what is wrong as JSON, in the form of the OpenAI API where its client asked.

    Args:
        send: Send function of the ASGI application.
        status: Status of the answer.
        detail: One line for a person.
        headers: Further headers.
        is_openai: Whether a path of the OpenAI API was asked for.
    """
    content = json.dumps(problem(status, detail, is_openai=is_openai)).encode()
    pairs = dict(headers) | {"content-type": "application/json", "content-length": str(len(content))}
    raw = [(name.lower().encode(), value.encode()) for name, value in pairs.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": content})


def problem(status: int, detail: str, *, is_openai: bool) -> dict[str, Any]:
    """Write what is wrong as JSON values."""
    if not is_openai:
        return {"detail": detail}
    kinds = {401: "authentication_error", 429: "rate_limit_error"}
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "server_error")  # noqa: PLR2004
    return {"error": {"message": detail, "type": kind, "param": None, "code": None}}


def _name_in(header: str) -> str:
    """The name in a ``Host`` header, without its port and the brackets of IPv6."""
    name = header.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.rpartition(":")[0] if name.rpartition(":")[2].isdecimal() and ":" in name else name


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _own_names() -> frozenset[str]:
    return frozenset({socket.gethostname().lower(), socket.getfqdn().lower()})
