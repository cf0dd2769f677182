"""Errors of requests as answers: a status, and one line that says what to do."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from selfsent.errors import UserError
from selfsent.serving.access import problem
from selfsent.serving.model import NotATreeError
from selfsent.serving.served_store import NoDocumentError
from selfsent.serving.service import Service, UnavailableError
from selfsent.serving.work_queue import OverloadedError, StoppingError

_LOG = logging.getLogger(__name__)
_MOST_NAMED = 3
_MOST_SHOWN = 60
_ESCAPED = 12


class MissingError(UserError):
    """What was asked for is not here: no store, no tree, no such document."""


def add_handlers(app: FastAPI, service: Service) -> None:
    """Make an application answer errors as this service does.

    Args:
        app: The application.
        service: What it asks; knows which places on the disk are not to be named.
    """

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        is_syntax = any(one["type"] == "json_invalid" for one in error.errors())
        return answer(request, 400 if is_syntax else 422, complaint(error.errors()))

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 400:  # noqa: PLR2004 FastAPI could not parse the body
            return answer(request, 400, _syntax(error.__cause__))
        detail = {
            404: f"there is nothing at {_shown(request.url.path)}; see /docs",
            405: f"{_shown(request.url.path)} does not accept {request.method}; see /docs",
        }.get(error.status_code, str(error.detail))
        return answer(request, error.status_code, detail, headers=dict(error.headers or {}))

    @app.exception_handler(UserError)
    async def mistaken(request: Request, error: UserError) -> JSONResponse:
        detail = " ".join(service.without_paths(str(error)).split())
        if isinstance(error, UnavailableError):
            return answer(request, 503, detail, headers={"Retry-After": "5"})
        is_missing = isinstance(error, MissingError | NotATreeError | NoDocumentError)
        return answer(request, 404 if is_missing else 422, detail)

    @app.exception_handler(OverloadedError)
    async def overloaded(request: Request, error: OverloadedError) -> JSONResponse:
        return answer(request, 429, str(error), headers={"Retry-After": str(error.retry_after_s)})

    @app.exception_handler(StoppingError)
    async def stopping(request: Request, error: StoppingError) -> JSONResponse:
        return answer(request, 503, str(error), headers={"Retry-After": "5"})

    @app.exception_handler(asyncio.TimeoutError)
    async def too_slow(request: Request, _error: Exception) -> JSONResponse:
        return answer(request, 503, "there was no answer in time; ask for less, or later", headers={"Retry-After": "5"})

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        _LOG.error("%s %s failed: %r", request.method, _shown(request.url.path), error)
        return answer(request, 500, "the service failed; its log says why")


def answer(request: Request, status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Answer with a problem, in the form of the API that was asked."""
    is_openai = request.url.path.startswith("/v1/")
    return JSONResponse(problem(status, _encodable(detail), is_openai=is_openai), status, headers=headers)


def complaint(errors: Sequence[Any]) -> str:
    """Say in one line what is wrong with a body: where, what is needed, and what came."""
    first = next((error for error in errors if error["type"] == "json_invalid"), None)
    if first is not None:
        reason = first.get("ctx", {}).get("error", "it ends too early")
        return f"the body must be JSON, and at character {first['loc'][-1]} {_shown(str(reason))}; correct it"
    kinds: dict[str, str] = {}
    for error in errors:
        kinds.setdefault(_place(error["loc"]), _needed(error))
    told = [f"{place} {needed}" for place, needed in list(kinds.items())[:_MOST_NAMED]]
    more = len(kinds) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more > 0 else "")


def _place(loc: Sequence[Any]) -> str:
    names = [_shown(str(one)) for one in loc[1:]]
    if not names:
        return "the body"
    return names[0] + "".join(f"[{name}]" if name.isdecimal() else f".{name}" for name in names[1:])


def _needed(error: Any) -> str:
    kind, said, value = error["type"], error["msg"].partition(", unable")[0], error.get("input")
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return "is not a field of this request; see /docs"
    if kind == "string_unicode":
        return "must be text, got half of a surrogate pair (\\ud800 to \\udfff); send whole characters"
    needed = said.removeprefix("Input should be ").removeprefix("String should ").removeprefix("List should ")
    needed = needed.removeprefix("Value error, ").partition(" after validation")[0]
    verb = "" if needed.startswith("have") else "be "
    if verb and kind == "model_attributes_type":
        needed = "a JSON object"
    return f"must {verb}{needed}, got {_got(value)}"


def _got(value: Any) -> str:
    if isinstance(value, str):
        return _shown(repr(value)) if len(value) <= _MOST_SHOWN else f"{len(value):,} characters"
    if isinstance(value, list):
        return f"a list of {len(value):,}"
    if isinstance(value, dict):
        return "an object"
    return _shown(repr(value))


def _shown(text: str) -> str:
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= _MOST_SHOWN + _ESCAPED else f"{text[:_MOST_SHOWN]}…"


def _syntax(cause: BaseException | None) -> str:
    if isinstance(cause, UnicodeDecodeError):
        return (
            f"the body must be UTF-8, and byte {cause.start} is 0x{cause.object[cause.start]:02x}; encode it as UTF-8"
        )
    if isinstance(cause, RecursionError):
        return "the body has too many brackets inside one another; send a flat request"
    return f"the body cannot be read as JSON ({_shown(str(cause))}); correct it"


def _encodable(text: str) -> str:
    return text.encode("utf8", "backslashreplace").decode()
