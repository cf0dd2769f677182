"""Compile a Python loop with numba, and keep the machine code on disk where that is possible.

Where numba cannot be imported the loops run as the Python they are, far slower; what has a plain form in torch uses
that instead (`is_compiled`).
"""

import functools
import logging
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np

try:
    import numba
except ImportError as error:
    numba = None
    logging.getLogger(__name__).warning(
        "numba cannot be imported (%s): trees are found and composed by plain torch and Python, many times slower;"
        " install it with: pip install numba",
        error,
    )

Function = TypeVar("Function", bound=Callable[..., Any])

# Sums may be reordered and fused, so that they vectorise; NaN and infinity keep their meaning.
_FAST_MATH = {"reassoc", "contract", "nsz", "arcp"}

is_compiled = numba is not None and not cast("Any", numba).config.DISABLE_JIT
"""Whether kernels are machine code in this process."""

LANES = 8
"""Float32 numbers that code written by hand handles at once: an AVX2 register, or two of NEON's."""


def num_threads() -> int:
    """Threads of a compiled loop: what was set with ``numba.set_num_threads``."""
    return 1 if numba is None else int(numba.get_num_threads())


def compiled() -> Callable[[Function], Function]:
    """Decorate a function to be compiled at its first call, cached on disk unless no cache folder can be written."""

    def decorate(function: Function) -> Function:
        if numba is None:
            return _with_wrapping_integers(function)
        options: dict[str, Any] = {"fastmath": _FAST_MATH, "nogil": True}
        try:
            return cast("Function", numba.njit(cache=True, **options)(function))
        except RuntimeError:  # numba finds no writable cache folder
            _say_that_nothing_is_kept()
            return cast("Function", numba.njit(**options)(function))

    return decorate


@functools.cache
def _say_that_nothing_is_kept() -> None:
    logging.getLogger(__name__).warning(
        "compiled kernels cannot be kept, as no cache folder can be written: each process compiles them again, which"
        " takes up to a minute; set NUMBA_CACHE_DIR to a folder that can be written"
    )


def _with_wrapping_integers(function: Function) -> Function:
    """Let integers wrap around without a warning, as they do in machine code."""

    @functools.wraps(function)
    def run(*arguments: Any) -> Any:
        with np.errstate(over="ignore"):
            return function(*arguments)

    return cast("Function", run)
