"""Reading the body of a request whole, before anything else is done: bounded in length and in time."""

import asyncio

from selfsent.serving.access import App, Receive, Scope, Send, send_problem
from selfsent.serving.limits import Limits


class BodyReader:
    """Gives the application the whole body at once, or answers why not.

    Args:
        app: The application behind.
        limits: Bytes and seconds.
    """

    def __init__(self, app: App, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS", "DELETE"}:
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        refusal = self._refusal(headers)
        body = b""
        if refusal is None:
            try:
                async with asyncio.timeout(self._limits.body_timeout_s):
                    body, refusal = await self._read(receive)
            except TimeoutError:
                seconds = self._limits.body_timeout_s
                refusal = 408, f"the body must arrive within {seconds:g} s; send it at once, or send less"
        if refusal is not None:
            close = {"Connection": "close"}
            await send_problem(send, *refusal, close, is_openai=scope["path"].startswith("/v1/"))
            return
        await self._app(scope, _Whole(body, receive), send)

    def _refusal(self, headers: dict[bytes, bytes]) -> tuple[int, str] | None:
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin1")
        if kind != "application/json":
            return 415, f"the body must be JSON with `Content-Type: application/json`, got {kind[:80] or 'none'!r}"
        length = headers.get(b"content-length", b"0")
        return self._too_long(int(length)) if length.isdigit() else None

    async def _read(self, receive: Receive) -> tuple[bytes, tuple[int, str] | None]:
        pieces: list[bytes] = []
        length = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return b"", (400, "the connection was closed before the whole body had arrived")
            piece = message.get("body", b"")
            length += len(piece)
            refusal = self._too_long(length)
            if refusal is not None:
                return b"", refusal
            pieces.append(piece)
            if not message.get("more_body", False):
                return b"".join(pieces), None

    def _too_long(self, length: int) -> tuple[int, str] | None:
        most = self._limits.max_body_bytes
        return (
            None
            if length <= most
            else (413, f"the body must have at most {most:,} bytes, got more; send fewer texts at once")
        )


class _Whole:
    """A ``receive`` that has the body already.

    Args:
        body: The body.
        receive: What tells that the client has gone.
    """

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> dict[str, object]:
        if self._body is None:
            return dict(await self._receive())
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}
