"""Dropout on a CPU by few random bits."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

_LEVELS = 1 << 16
_VALUES_A_DRAW = 4  # 64 bits


def bit_dropout(values: Tensor, probability: float) -> Tensor:
    """Set values to zero at random and scale the others so that the expectation stays; differentiable.

    Args:
        values: Any shape.
        probability: Share to drop, from 0 to below 1.
    """
    return values * kept_values(values.shape, probability)


def kept_values(shape: Sequence[int], probability: float) -> Tensor:
    """Draw what dropout multiplies values with: zero, or the factor that keeps the expectation.

    torch draws a whole Bernoulli variable for each value, which costs more. Here four values share
    one 64-bit draw. The probability is met to 1 in 65,536.

    Args:
        shape: Shape of the result.
        probability: Share to drop, from 0 to below 1.
    """
    num_values = math.prod(shape)
    draws = torch.empty(-(-num_values // _VALUES_A_DRAW), dtype=torch.int64)
    draws.random_(torch.iinfo(torch.int64).min, None)  # pyright: ignore[reportArgumentType, reportCallIssue] None is the whole range
    bits = draws.view(torch.int16)[:num_values].view(shape)
    num_dropped = round(probability * _LEVELS)
    kept = bits >= num_dropped - _LEVELS // 2
    return kept * (_LEVELS / (_LEVELS - num_dropped))
