"""Standard output and error that never stop a command, be they closed, broken, full, or unable to encode a character.

A command's work must not be lost because nobody reads what it prints. What cannot be written is dropped; whether
something was lost for another reason than a reader that has gone (``... | head``) is known at the end.
"""

import codecs
import contextlib
import errno
import io
import os
import sys
from typing import Any, TextIO

from typing_extensions import override

_ASCII_OF = str.maketrans({"├": "|", "└": "`", "│": "|", "─": "-", "…": "...", "±": "+-"})
_ERRORS = "selfsent.readable"


def open_streams() -> None:
    """Make standard output and error of the process ones that never fail; streams that were put in place stay."""
    _open_closed_descriptors()
    codecs.register_error(_ERRORS, _readable)
    if sys.stdout is sys.__stdout__:
        sys.stdout = _lasting(sys.stdout, 1)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _lasting(sys.stderr, 2)


def lost_output() -> str | None:
    """Say why standard output could not be written, if it could not; a reader that has gone does not count."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    error = raw.error if isinstance(raw, _LastingFile) else None
    return None if error is None or error.errno == errno.EPIPE else str(error.strerror)


class _LastingFile(io.FileIO):
    """A file descriptor to write to that remembers its first error and drops what it cannot write."""

    error: OSError | None = None

    @override
    def write(self, data: Any, /) -> int:
        if self.error is None:
            try:
                return super().write(data)
            except OSError as error:
                self.error = error
        return len(data)


def _lasting(stream: TextIO | None, descriptor: int) -> io.TextIOWrapper:
    """A stream in place of ``stream``, which is ``None`` where Python found the descriptor closed."""
    file = _LastingFile(descriptor, "wb", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(file),
        encoding=stream.encoding if stream else "utf8",
        errors=_ERRORS,
        line_buffering=descriptor == 2 or file.isatty(),  # noqa: PLR2004 standard error
    )


def _open_closed_descriptors() -> None:
    """Open the null device where a standard descriptor is closed, so that no file of ours is opened in its place."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # the lowest free descriptor, which is this one


def _readable(error: UnicodeError) -> tuple[str | bytes, int]:
    """Write a character that an encoding lacks in ASCII: a drawn line as a stroke, any other as its escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return missing.translate(_ASCII_OF).encode("ascii", "backslashreplace").decode("ascii"), error.end
