"""Triton where it is installed; elsewhere names enough to import the kernels, which nothing calls then."""

from types import SimpleNamespace
from typing import Any

try:
    import triton as _triton  # pyright: ignore[reportMissingImports] not on every machine
    import triton.language as _language  # pyright: ignore[reportMissingImports] not on every machine
except ImportError:
    _triton = SimpleNamespace(jit=lambda kernel: kernel)  # pyright: ignore[reportUnknownLambdaType] any function
    _language = SimpleNamespace(tensor=object, constexpr=object)

triton: Any = _triton
tl: Any = _language
