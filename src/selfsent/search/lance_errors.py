"""LanceDB's errors, which are several lines with the places of its own source code, as one line for a person."""

import contextlib
import importlib
import re
from collections.abc import Generator
from typing import Any

from selfsent.errors import UserError

_WRAPPING = re.compile(r"^(?:lance error: |LanceError\(\w+\): |Generic \S+ error: |Wrapped error: )+")
_SOURCE_PLACE = re.compile(r", (?:/|[A-Z]:\\)\S*\.rs:\d+:\d+.*$")


def require(module: str) -> Any:
    """Import a module of the extra ``search``.

    Raises:
        UserError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"a store needs {module.split('.', maxsplit=1)[0]}: `pip install 'selfsent[search]'`"
        ) from error


def reason_of(error: Exception) -> str:
    """What went wrong, without the wrapping."""
    text = str(error).strip() or type(error).__name__
    return _SOURCE_PLACE.sub("", _WRAPPING.sub("", text.splitlines()[0]))


@contextlib.contextmanager
def in_one_line(action: str, remedy: str) -> Generator[None]:
    """Turn an error of LanceDB in the block into a ``UserError`` of one line.

    Args:
        action: What cannot be done, such as ``write the store s``.
        remedy: How to get there.

    Raises:
        UserError: LanceDB failed.
    """
    try:
        yield
    except UserError:
        raise
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(f"cannot {action}: {reason_of(error)}; {remedy}") from error
