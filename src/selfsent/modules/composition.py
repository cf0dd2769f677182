"""The cells of a tree autoencoder: how two children become a parent, and a parent two children."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

CellInit = Literal["uniform", "sum"]
"""How a cell starts: ``uniform`` is PyTorch's default of a linear layer, as in the released code. ``sum`` starts near
``parent = left + right`` and ``left = right = parent``, with a tenth of the default as noise: a sentence starts as the
sum of its words, however deep they stand. Chosen on STS-B dev (docs/experiments.md); not in the papers."""

_NOISE_AROUND_SUM = 0.1


def _reset(linear: nn.Linear, init: CellInit, identity: Tensor) -> None:
    linear.reset_parameters()
    if init == "sum":
        with torch.no_grad():
            linear.weight.mul_(_NOISE_AROUND_SUM).add_(identity)
            linear.bias.mul_(_NOISE_AROUND_SUM)


class AffineComposition(nn.Module):
    """Compose two children into their parent: ``[left right] W + b``, the same for every channel.

    An embedding is K channels of U values; a channel of the parent sees that channel of the children only. There is no
    non-linearity.

    Source: Opper et al., EMNLP 2023 (StrAE), composition function C with ``2U^2 + U`` parameters; PyTorch's default
    initialisation of ``nn.Linear``, as in the authors' released code.

    Args:
        channel_size: U, values a channel.
        init: How the weights start.
    """

    def __init__(self, channel_size: int, *, init: CellInit = "uniform") -> None:
        super().__init__()
        self.channel_size = channel_size
        self.init: CellInit = init
        self.linear = nn.Linear(2 * channel_size, channel_size)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start anew."""
        _reset(self.linear, self.init, torch.eye(self.channel_size).repeat(1, 2))

    def forward(self, left: Float[Tensor, "P D"], right: Float[Tensor, "P D"]) -> Float[Tensor, "P D"]:
        """Compose children into parents, row by row."""
        channels = [side.unflatten(1, (-1, self.channel_size)) for side in (left, right)]
        return self.linear(torch.cat(channels, dim=2)).flatten(1)


class AffineDecomposition(nn.Module):
    """Decompose a parent into its two children: ``split(parent W + b)``, the same for every channel.

    Source: Opper et al., EMNLP 2023 (StrAE), decomposition function D with ``2U^2 + 2U`` parameters.
    Differs: the first half is always the left child. The released Self-StrAE code gives it to the child with the
    smaller node number, and those differ wherever the left child was made after the right one, as in ((w1 w2) w3).

    Args:
        channel_size: U, values a channel.
        init: How the weights start.
    """

    def __init__(self, channel_size: int, *, init: CellInit = "uniform") -> None:
        super().__init__()
        self.channel_size = channel_size
        self.init: CellInit = init
        self.linear = nn.Linear(channel_size, 2 * channel_size)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start anew."""
        _reset(self.linear, self.init, torch.eye(self.channel_size).repeat(2, 1))

    def forward(self, parent: Float[Tensor, "P D"]) -> tuple[Float[Tensor, "P D"], Float[Tensor, "P D"]]:
        """Decompose parents into left and right children, row by row."""
        both = self.linear(parent.unflatten(1, (-1, self.channel_size)))
        left, right = both.chunk(2, dim=2)
        return left.flatten(1), right.flatten(1)
