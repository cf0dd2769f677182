"""The cells of a tree autoencoder: how two children become a parent, and a parent two children, along whole trees."""

from abc import ABC, abstractmethod
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfsent.kernels.affine_passes import AffineMap, affine_downward, affine_upward, is_compiled_for, serves
from selfsent.kernels.beam_induction import induce_by_beam
from selfsent.kernels.chart_induction import induce_by_chart
from selfsent.kernels.diagonal_passes import diagonal_downward, diagonal_upward
from selfsent.kernels.entangled_passes import entangled_downward
from selfsent.kernels.induction import induce
from selfsent.kernels.passes import downward, upward
from selfsent.modules.tree_finder import SearchOptions
from selfsent.trees.arrays import IntArray, TreeBatch
from selfsent.trees.entangled import EntangledTrees

CellInit = Literal["uniform", "sum"]
"""How a cell starts: ``uniform`` as in the released code, PyTorch's default of a linear layer or gates of 0.65 to 0.71.
``sum`` starts at ``parent = left + right`` and ``left = right = parent``, gates at 0.95 of it. A sentence starts as the
sum of its words, however deep they stand. Chosen on STS-B dev (docs/experiments.md); not in the papers."""

Cell = Literal["affine", "diagonal"]
"""A linear map of both children (StrAE), or a gate a value (Banyan)."""

_FIRST_GATES = (0.6, 0.9)
_GATES_NEAR_SUM = 3.0


class PlainLeaf(nn.Module):
    """Use token embeddings as the states of leaves, unchanged."""

    def reset_parameters(self) -> None:
        """Do nothing: there are no weights."""

    def forward(self, tokens: Float[Tensor, "L D"]) -> Float[Tensor, "L D"]:
        """Return the token embeddings."""
        return tokens


class Composition(nn.Module, ABC):
    """A cell that composes two children into their parent, and composes whole trees by the kernel that suits it."""

    @abstractmethod
    def reset_parameters(self) -> None:
        """Draw the weights again."""

    @abstractmethod
    def induce(
        self,
        leaves: Float[Tensor, "L S"],
        num_tokens: IntArray,
        noise: Float[Tensor, "I D"] | None,
        search: SearchOptions,
    ) -> tuple[TreeBatch, Float[Tensor, "N D"] | None]:
        """Find trees whose merged nodes are alike.

        Args:
            leaves: States of the leaves, all sentences one after another.
            num_tokens: Leaves of each sentence, ``(B,)``.
            noise: Factors on composed embeddings.
            search: How the trees are searched, where the cell leaves a choice.

        Returns:
            The trees; and the upward embeddings, where finding the trees has computed them.
        """

    def upward(
        self,
        leaves: Float[Tensor, "L S"],
        trees: TreeBatch,
        noise: Float[Tensor, "I D"] | None = None,
        known: Float[Tensor, "N D"] | None = None,  # noqa: ARG002 for cells whose induction computes it
    ) -> Float[Tensor, "N D"]:
        """Compose every internal node from its children, leaves to root.

        Args:
            leaves: States of the leaves, all sentences one after another.
            trees: The trees to follow.
            noise: Factors on each composed embedding (dropout), in merge order; ``None`` for none.
            known: The result, where induction has computed it already.

        Returns:
            Upward embeddings of all nodes. Gradients reach ``leaves`` and the cell.
        """
        return upward(leaves, trees, self, noise)

    def upward_entangled(
        self, leaves: Float[Tensor, "L S"], graph: EntangledTrees, noise: Float[Tensor, "I D"] | None = None
    ) -> Float[Tensor, "M D"]:
        """Compose every node of entangled trees once; see `upward`.

        Args:
            leaves: States of the leaves by token.
            graph: The entangled trees.
            noise: Factors on each composed embedding (dropout), in merge order; ``None`` for none.
        """
        return upward(leaves, graph, self, noise)


class Decomposition(nn.Module, ABC):
    """A cell that decomposes a parent into its two children, and whole trees by the kernel that suits it."""

    @abstractmethod
    def reset_parameters(self) -> None:
        """Draw the weights again."""

    def downward(
        self, roots: Float[Tensor, "R D"], trees: TreeBatch, noise: Float[Tensor, "N D"] | None = None
    ) -> Float[Tensor, "N D"]:
        """Decompose every internal node into its children, root to leaves.

        Args:
            roots: Upward embedding of the root of each sentence that has a token.
            trees: The trees to follow.
            noise: Factors on each decomposed embedding (dropout), one row a node; ``None`` for none.
        """
        return downward(roots, trees, self, noise)

    def downward_entangled(
        self, tops: Float[Tensor, "R D"], graph: EntangledTrees, noise: Float[Tensor, "2 I D"] | None = None
    ) -> Float[Tensor, "N D"]:
        """Send embeddings from the tops of entangled trees down; a node is the mean of what its parents send.

        Args:
            tops: Upward embeddings of ``graph.tops``.
            graph: The entangled trees.
            noise: Factors on messages (dropout): to the left and to the right children, in merge order.
        """
        return entangled_downward(tops, graph, self, noise)


class ChannelComposition(Composition):
    """A composition that is affine in each channel, so that compiled kernels find the trees and compose them."""

    @property
    @abstractmethod
    def affine_map(self) -> nn.Linear | AffineMap:
        """The weights that the kernels take."""

    def induce(
        self,
        leaves: Float[Tensor, "L D"],
        num_tokens: IntArray,
        noise: Float[Tensor, "I D"] | None,
        search: SearchOptions,
    ) -> tuple[TreeBatch, Float[Tensor, "N D"] | None]:
        """Find trees; the greedy inducer compares embeddings with the noise on them, the others without."""
        weights = self.affine_map
        weight, bias = weights.weight, weights.bias
        if search.inducer == "greedy":
            return induce(leaves, num_tokens, weight, bias, noise)
        find = induce_by_beam if search.inducer == "beam" else induce_by_chart
        return find(leaves, num_tokens, weight, bias, beam_size=search.beam_size), None

    def upward(
        self,
        leaves: Float[Tensor, "L D"],
        trees: TreeBatch,
        noise: Float[Tensor, "I D"] | None = None,
        known: Float[Tensor, "N D"] | None = None,
    ) -> Float[Tensor, "N D"]:
        """Compose every internal node from its children, leaves to root; see `Composition.upward`."""
        if known is not None and not torch.is_grad_enabled():
            return known
        if serves(leaves, weights := self.affine_map):
            return affine_upward(leaves, trees, weights, noise, known)
        return upward(leaves, trees, self, noise)


class ChannelDecomposition(Decomposition):
    """A decomposition that is affine in each channel, so that compiled kernels go down the trees."""

    @property
    @abstractmethod
    def affine_map(self) -> nn.Linear | AffineMap:
        """The weights that the kernels take."""

    def downward(
        self, roots: Float[Tensor, "R D"], trees: TreeBatch, noise: Float[Tensor, "N D"] | None = None
    ) -> Float[Tensor, "N D"]:
        """Decompose every internal node into its children, root to leaves; see `Decomposition.downward`."""
        if serves(roots, weights := self.affine_map):
            return affine_downward(roots, trees, weights, noise)
        return downward(roots, trees, self, noise)


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


class AffineComposition(ChannelComposition):
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

    @property
    def affine_map(self) -> nn.Linear:
        """The weights that the kernels take."""
        return self.linear

    def reset_parameters(self) -> None:
        """Draw the weights again."""
        _reset(self.linear, self.init, torch.eye(self.channel_size).repeat(1, 2))

    def forward(self, left: Float[Tensor, "P D"], right: Float[Tensor, "P D"]) -> Float[Tensor, "P D"]:
        """Compose children into parents, row by row."""
        channels = [side.unflatten(1, (-1, self.channel_size)) for side in (left, right)]
        return self.linear(torch.cat(channels, dim=2)).flatten(1)


class AffineDecomposition(ChannelDecomposition):
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

    @property
    def affine_map(self) -> nn.Linear:
        """The weights that the kernels take."""
        return self.linear

    def reset_parameters(self) -> None:
        """Draw the weights again."""
        _reset(self.linear, self.init, torch.eye(self.channel_size).repeat(2, 1))

    def forward(self, parent: Float[Tensor, "P D"]) -> tuple[Float[Tensor, "P D"], Float[Tensor, "P D"]]:
        """Decompose parents into left and right children, row by row."""
        both = self.linear(parent.unflatten(1, (-1, self.channel_size)))
        left, right = both.chunk(2, dim=2)
        return left.flatten(1), right.flatten(1)


class DiagonalComposition(ChannelComposition):
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
        """Draw the weights again."""
        _reset_gates(self.gates, self.init)
        nn.init.zeros_(self.bias)

    @property
    def affine_map(self) -> AffineMap:
        """The weights that the kernels take."""
        return self.linear

    @property
    def linear(self) -> AffineMap:
        """The same map with its diagonal matrices written out, ``(U, 2U)``."""
        left, right = self.gates.sigmoid()
        return AffineMap(torch.cat([left.diag(), right.diag()], dim=1), self.bias)

    def upward_entangled(
        self, leaves: Float[Tensor, "L D"], graph: EntangledTrees, noise: Float[Tensor, "I D"] | None = None
    ) -> Float[Tensor, "M D"]:
        """Compose every node of entangled trees once; see `Composition.upward_entangled`."""
        if is_compiled_for(leaves):
            return diagonal_upward(leaves, graph, *self.over(leaves.shape[1] // self.channel_size), noise)
        return super().upward_entangled(leaves, graph, noise)

    def over(self, channels: int) -> tuple[Float[Tensor, "2 D"], Float[Tensor, " D"]]:
        """Factors and bias of every value of an embedding."""
        return self.gates.sigmoid().repeat(1, channels), self.bias.repeat(channels)

    def forward(self, left: Float[Tensor, "P D"], right: Float[Tensor, "P D"]) -> Float[Tensor, "P D"]:
        """Compose children into parents, row by row."""
        of_left, of_right = self.gates.sigmoid()
        channels = [side.unflatten(1, (-1, self.channel_size)) for side in (left, right)]
        return (channels[0] * of_left + channels[1] * of_right + self.bias).flatten(1)


class DiagonalDecomposition(ChannelDecomposition):
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
        """Draw the weights again."""
        _reset_gates(self.gates, self.init)
        nn.init.zeros_(self.biases)

    @property
    def affine_map(self) -> AffineMap:
        """The weights that the kernels take."""
        return self.linear

    @property
    def linear(self) -> AffineMap:
        """The same map with its diagonal matrices written out, ``(2U, U)``."""
        left, right = self.gates.sigmoid()
        return AffineMap(torch.cat([left.diag(), right.diag()]), self.biases.flatten())

    def downward_entangled(
        self, tops: Float[Tensor, "R D"], graph: EntangledTrees, noise: Float[Tensor, "2 I D"] | None = None
    ) -> Float[Tensor, "N D"]:
        """Send embeddings from the tops of entangled trees down; see `Decomposition.downward_entangled`."""
        if is_compiled_for(tops):
            return diagonal_downward(tops, graph, *self.over(tops.shape[1] // self.channel_size), noise)
        return entangled_downward(tops, graph, self, noise)

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
