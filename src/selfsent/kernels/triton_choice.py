"""Which kernels serve a tensor: Triton's on a GPU, where they work."""

import functools
import importlib.util
import logging
import os

import torch
from torch import Tensor

_LOG = logging.getLogger(__name__)

_FIRST_CAPABILITY = (7, 0)
_LARGEST_CHANNEL = 64  # a program holds the weights of an affine cell in registers, 4 U^2 bytes and their gradients
_TOLERANCE = 1e-2  # a GPU may be allowed to multiply with 10 bits


def uses_triton(values: Tensor, *, channel_size: int = 1) -> bool:
    """Whether Triton's kernels serve a tensor: in half or single precision, on a GPU where they pass their check.

    With ``TRITON_INTERPRET=1`` in the environment they serve any device, in Triton's interpreter: for tests.

    Args:
        values: What a kernel would compute with.
        channel_size: U of the affine cell it would apply; one of more than 64 values is left to the other forms.
    """
    if channel_size > _LARGEST_CHANNEL or values.dtype not in (torch.float32, torch.bfloat16, torch.float16):
        return False
    if os.environ.get("TRITON_INTERPRET") == "1":
        return _is_installed()
    return values.is_cuda and _works_on(values.get_device())


@functools.cache
def _is_installed() -> bool:
    return importlib.util.find_spec("triton") is not None


@functools.cache
def _works_on(device: int) -> bool:
    """Try the kernels on a small batch, once a process and GPU; say why they are not used where they fail."""
    if not _is_installed() or torch.cuda.get_device_capability(device) < _FIRST_CAPABILITY:
        return False
    from selfsent.kernels.triton_check import largest_difference  # noqa: PLC0415 it imports triton

    try:
        largest = largest_difference(torch.device("cuda", device))
    except Exception as error:  # noqa: BLE001 compilers and drivers fail in ways of their own
        _LOG.warning("Triton's kernels cannot be used on cuda:%d, plain torch is: %s", device, error)
        return False
    if not largest < _TOLERANCE:
        _LOG.warning("Triton's kernels differ from torch by %.3g on cuda:%d, plain torch is used", largest, device)
    return largest < _TOLERANCE
