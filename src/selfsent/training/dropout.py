"""Dropout on a CPU from 16 random bits a value: torch draws a whole Bernoulli variable for each, which costs more."""

import contextlib
from collections.abc import Generator
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

_LEVELS = 1 << 16
_VALUES_A_DRAW = 4  # 64 bits


def bit_dropout(values: Tensor, probability: float) -> Tensor:
    """Set values to zero at random and scale the others so that the expectation stays; differentiable.

    Four values share one 64-bit draw of torch's global generator. The probability is met to 1 in 65,536.

    Args:
        values: Any shape.
        probability: Share to drop, from 0 to below 1.
    """
    num_draws = -(-values.numel() // _VALUES_A_DRAW)
    draws = torch.empty(num_draws, dtype=torch.int64).random_(torch.iinfo(torch.int64).min, None)  # pyright: ignore[reportArgumentType, reportCallIssue] None is the whole range
    bits = draws.view(torch.int16)[: values.numel()].view(values.shape)
    num_dropped = round(probability * _LEVELS)
    kept = bits >= num_dropped - _LEVELS // 2
    return values * (kept * (_LEVELS / (_LEVELS - num_dropped)))


def _forward(module: nn.Dropout, input: Tensor) -> Tensor:  # noqa: A002 the name torch gives it
    if not module.training or module.p == 0:
        return input
    if input.device.type != "cpu" or input.dtype != torch.float32 or module.p >= 1:
        return functional.dropout(input, module.p, training=True)
    return bit_dropout(input, module.p)


@contextlib.contextmanager
def fast_dropout(model: nn.Module) -> Generator[None]:
    """Let every ``nn.Dropout`` of a model draw by ``bit_dropout`` within the block, where it runs on a CPU in float32.

    The model itself is not changed: nothing of this is saved. Dropout inside fused attention stays torch's.

    Args:
        model: Any module.
    """
    modules = [module for module in model.modules() if type(module) is nn.Dropout and not module.inplace]
    for module in modules:
        module.forward = partial(_forward, module)
    try:
        yield
    finally:
        for module in modules:
            del module.forward
