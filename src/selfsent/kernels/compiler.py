"""Compile a Python loop with numba, and keep the machine code on disk where that is possible."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

# Sums may be reordered and fused, so that they vectorise; NaN and infinity keep their meaning.
_FAST_MATH = {"reassoc", "contract", "nsz", "arcp"}


def compiled(*, parallel: bool = False) -> Callable[[Function], Function]:
    """Decorate a function to be compiled at its first call, cached on disk unless no cache folder can be written.

    Args:
        parallel: Whether ``numba.prange`` runs on all threads of ``numba.set_num_threads``.
    """

    def decorate(function: Function) -> Function:
        options: dict[str, Any] = {"fastmath": _FAST_MATH, "parallel": parallel, "nogil": True}
        try:
            return cast("Function", numba.njit(cache=True, **options)(function))
        except RuntimeError:  # numba finds no writable cache folder: compile anew in each process
            return cast("Function", numba.njit(**options)(function))

    return decorate
