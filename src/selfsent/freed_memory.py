"""Tell glibc to keep freed memory, or to return it to the system; other C libraries are left alone."""

import contextlib
import ctypes
import platform
from collections.abc import Generator
from typing import Any

# Of glibc's malloc.h: which parameter of malloc is meant.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_KEPT_BYTES = 2**31 - 1
# What glibc starts with.
_DEFAULTS = {_TRIM_THRESHOLD: 128 * 1024, _MMAP_MAX: 65_536}


def _glibc() -> Any:
    """The C library of this process where it is glibc, else None."""
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


def give_back() -> None:
    """Return freed memory to the system."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


@contextlib.contextmanager
def kept_memory() -> Generator[None]:
    """Keep freed memory for later use within the block, up to 2 GiB; give it back to the system at the end.

    glibc asks the system for every block of some megabytes and gives it back when it is freed. A training step frees
    and asks for the same blocks again, and each page of them is cleared by the system at its first use, at about 2 GB
    a second. What is kept costs nothing of this. It holds for the whole process.
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    for parameter, value in {_TRIM_THRESHOLD: _KEPT_BYTES, _MMAP_MAX: 0}.items():
        libc.mallopt(parameter, value)
    try:
        yield
    finally:
        for parameter, value in _DEFAULTS.items():
            libc.mallopt(parameter, value)
        give_back()
