"""Freed memory stays with the process while it trains: a step that gets new pages from the system waits for each.

glibc asks the system for every block of some megabytes and gives it back when it is freed. A training step frees and
asks for the same blocks again, and each page of them is cleared by the system at its first use, at about 2 GB/s.
"""

import contextlib
import ctypes
import platform
from collections.abc import Generator

# Of glibc's malloc.h: which parameter of malloc is meant.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_KEPT_BYTES = 2**31 - 1
# What glibc starts with.
_DEFAULTS = {_TRIM_THRESHOLD: 128 * 1024, _MMAP_MAX: 65_536}


@contextlib.contextmanager
def kept_memory() -> Generator[None]:
    """Keep freed memory for later use within the block, up to 2 GiB; give it back to the system at the end.

    This holds for the whole process. Where the C library is not glibc nothing is done.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    for parameter, value in {_TRIM_THRESHOLD: _KEPT_BYTES, _MMAP_MAX: 0}.items():
        libc.mallopt(parameter, value)
    try:
        yield
    finally:
        for parameter, value in _DEFAULTS.items():
            libc.mallopt(parameter, value)
        libc.malloc_trim(0)
