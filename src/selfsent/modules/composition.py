"""The cells of a tree autoencoder: how two children become a parent, and a parent two children."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfsent.kernels.affine_passes import AffineMap

CellInit = Literal["uniform", "sum"]
"""How a cell starts: ``uniform`` as in the released code, PyTorch's default of a linear layer or gates of 0.65 to 0.71.
``sum`` starts at ``parent = left + right`` and ``left = right = parent``, gates at 0.95 of it. A sentence starts as the
sum of its words, however deep they stand. Chosen on STS-B dev (docs/experiments.md); not in the papers."""

Cell = Literal["affine", "diagonal"]
"""A linear map of both children (StrAE), or a gate a value (Banyan)."""

_FIRST_GATES = (0.6, 0.9)
_GATES_NEAR_SUM = 3.0


def _reset(linear: nn.Linear, init: CellInit, identity: Tensor) -> None:
    linear.reset_parameters()
    if init == "sum":
        with torch.no_grad():
            linear.weight.copy_(identity)
            linear.bias.zero_()


def _reset_gates(gates: Tensor, init: CellInit) -> None:
    if init == "sum":
        nn.init.constant_(gates, _GATES_NEAR_SUM)
    else:
        nn.init.uniform_(gates, *_FIRST_GATES)


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


class DiagonalComposition(nn.Module):
    """Compose two children into their parent, value by value: ``left * s(a) + right * s(b) + c``, s the logistic.

    The same for every channel: ``3U`` weights.

    Source: Opper & Siddharth, Banyan (arXiv 2407.17771), diagonal functions; gates start uniform in [0.6, 0.9] before
    the logistic and biases at 0, as in the released code.

    Args:
        channel_size: U, values a channel.
        init: How the gates start.
    """

    def __init__(self, channel_size: int, *, init: CellInit = "uniform") -> None:
        super().__init__()
        self.channel_size = channel_size
        self.init: CellInit = init
        self.gates = nn.Parameter(torch.empty(2, channel_size))
        self.bias = nn.Parameter(torch.empty(channel_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start anew."""
        _reset_gates(self.gates, self.init)
        nn.init.zeros_(self.bias)

    @property
    def linear(self) -> AffineMap:
        """The same map with its diagonal matrices written out, ``(U, 2U)``."""
        left, right = self.gates.sigmoid()
        return AffineMap(torch.cat([left.diag(), right.diag()], dim=1), self.bias)

    def over(self, channels: int) -> tuple[Float[Tensor, "2 D"], Float[Tensor, " D"]]:
        """Factors and bias of every value of an embedding."""
        return self.gates.sigmoid().repeat(1, channels), self.bias.repeat(channels)

    def forward(self, left: Float[Tensor, "P D"], right: Float[Tensor, "P D"]) -> Float[Tensor, "P D"]:
        """Compose children into parents, row by row."""
        of_left, of_right = self.gates.sigmoid()
        channels = [side.unflatten(1, (-1, self.channel_size)) for side in (left, right)]
        return (channels[0] * of_left + channels[1] * of_right + self.bias).flatten(1)


class DiagonalDecomposition(nn.Module):
    """Decompose a parent into messages to its two children, value by value: ``parent * s(d) + e`` for each side.

    The same for every channel: ``4U`` weights. Source and start: see `DiagonalComposition`.

    Args:
        channel_size: U, values a channel.
        init: How the gates start.
    """

    def __init__(self, channel_size: int, *, init: CellInit = "uniform") -> None:
        super().__init__()
        self.channel_size = channel_size
        self.init: CellInit = init
        self.gates = nn.Parameter(torch.empty(2, channel_size))
        self.biases = nn.Parameter(torch.empty(2, channel_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start anew."""
        _reset_gates(self.gates, self.init)
        nn.init.zeros_(self.biases)

    @property
    def linear(self) -> AffineMap:
        """The same map with its diagonal matrices written out, ``(2U, U)``."""
        left, right = self.gates.sigmoid()
        return AffineMap(torch.cat([left.diag(), right.diag()]), self.biases.flatten())

    def over(self, channels: int) -> tuple[Float[Tensor, "2 D"], Float[Tensor, "2 D"]]:
        """Factors and biases of every value of a message, left and right."""
        return self.gates.sigmoid().repeat(1, channels), self.biases.repeat(1, channels)

    def forward(self, parent: Float[Tensor, "P D"]) -> tuple[Float[Tensor, "P D"], Float[Tensor, "P D"]]:
        """Decompose parents into messages to left and right children, row by row."""
        channels = parent.unflatten(1, (-1, self.channel_size))
        sides = zip(self.gates.sigmoid(), self.biases, strict=True)
        left, right = ((channels * gate + bias).flatten(1) for gate, bias in sides)
        return left, right


def composition_of(cell: Cell, channel_size: int, *, init: CellInit) -> AffineComposition | DiagonalComposition:
    """Make the cell that composes."""
    if cell == "diagonal":
        return DiagonalComposition(channel_size, init=init)
    return AffineComposition(channel_size, init=init)


def decomposition_of(cell: Cell, channel_size: int, *, init: CellInit) -> AffineDecomposition | DiagonalDecomposition:
    """Make the cell that decomposes."""
    if cell == "diagonal":
        return DiagonalDecomposition(channel_size, init=init)
    return AffineDecomposition(channel_size, init=init)
