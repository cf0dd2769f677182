"""The page's files, and the answers' headers that keep a page from what it may not do."""

from functools import cache
from importlib.resources import files

from fastapi import Response
from starlette.datastructures import MutableHeaders

from selfsent.serving.access import App, Message, Receive, Scope, Send

_KINDS = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "json": "application/json",
    "png": "image/png",
    "woff2": "font/woff2",
}
POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'"
)
REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:;"
    " frame-ancestors 'none'"
)
"""The report is one file with its own scripts, shown in an origin of its own, from which nothing can be asked."""

_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


@cache
def page_names() -> frozenset[str]:
    """The names of the page's files."""
    names = (file.name for file in files("selfsent.serving").joinpath("page").iterdir())
    return frozenset(name for name in names if _suffix(name) in _KINDS)


def page_file(name: str) -> Response | None:
    """Answer with a file of the page; None if it has none of that name."""
    if name not in page_names():
        return None
    content = files("selfsent.serving").joinpath("page", name).read_bytes()
    return Response(content, media_type=_KINDS[_suffix(name)])


def _suffix(name: str) -> str:
    return name.rpartition(".")[2]


class SafeHeaders:
    """Adds to every answer what a browser has to know; an answer's own headers stay.

    Args:
        app: The application.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def adding(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, adding)
