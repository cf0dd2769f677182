"""The binary Tree-LSTM: its cells on the way up, and a decoder of the same kind on the way down.

A node's state is its hidden values, which are its embedding, and behind them its memory cell: ``(P, 2D)``.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from selfsent.modules.composition import Decomposition
from selfsent.modules.frontier_merging import GatedComposition
from selfsent.modules.tree_states import TreeStates


class TreeLSTMLeaf(nn.Module):
    """Turn token embeddings into states of leaves, which have an input and no children.

    Source: Tai et al., ACL 2015 (arXiv 1503.00075), Equations 9 and 11 to 14.

    Args:
        dimension: D, values of an embedding.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dimension, 3 * dimension)

    def reset_parameters(self) -> None:
        """Draw the weights again."""
        self.linear.reset_parameters()

    def forward(self, tokens: Float[Tensor, "L D"]) -> Float[Tensor, "L S"]:
        """Return hidden values and memory of each leaf."""
        enter, leave, update = self.linear(tokens).chunk(3, dim=1)
        memory = enter.sigmoid() * update.tanh()
        return torch.cat([leave.sigmoid() * memory.tanh(), memory], dim=1)


class TreeLSTMComposition(GatedComposition):
    """Compose the states of two children into their parent's; each child has a forget gate of its own.

    Source: Tai et al., ACL 2015 (arXiv 1503.00075), N-ary Tree-LSTM, Equations 9 to 14 with N = 2 and no input.
    Differs: leaves and internal nodes have biases of their own (as in the authors' code); the forget gates' start at 1.

    Args:
        dimension: D, values of an embedding.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__(dimension)
        self.linear = nn.Linear(2 * dimension, 5 * dimension)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights again."""
        self.linear.reset_parameters()
        with torch.no_grad():
            self.linear.bias.unflatten(0, (5, -1))[:2].fill_(1.0)

    def forward(self, left: Float[Tensor, "P S"], right: Float[Tensor, "P S"]) -> Float[Tensor, "P S"]:
        """Compose children into parents, row by row."""
        (left_hidden, left_memory), (right_hidden, right_memory) = left.chunk(2, dim=1), right.chunk(2, dim=1)
        gates = self.linear(torch.cat([left_hidden, right_hidden], dim=1))
        keep_left, keep_right, enter, leave, update = gates.chunk(5, dim=1)
        memory = enter.sigmoid() * update.tanh()
        memory = memory + keep_left.sigmoid() * left_memory + keep_right.sigmoid() * right_memory
        return torch.cat([leave.sigmoid() * memory.tanh(), memory], dim=1)


class TreeLSTMDecomposition(Decomposition):
    """Decompose a parent's state into its children's: one step of an LSTM towards each side, with weights of its own.

    Source: ours; the Tree-LSTM's gates in the other direction, so that it fits StrAE's decoder.

    Args:
        dimension: D, values of an embedding.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dimension, 8 * dimension)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights again."""
        self.linear.reset_parameters()
        with torch.no_grad():
            self.linear.bias.unflatten(0, (2, 4, -1))[:, 0].fill_(1.0)

    def forward(self, parent: Float[Tensor, "P S"]) -> tuple[Float[Tensor, "P S"], Float[Tensor, "P S"]]:
        """Decompose parents into left and right children, row by row."""
        hidden, memory = parent.chunk(2, dim=1)
        left, right = (self._step(gates, memory) for gates in self.linear(hidden).chunk(2, dim=1))
        return left, right

    @staticmethod
    def _step(gates: Tensor, memory: Tensor) -> Tensor:
        keep, enter, leave, update = gates.chunk(4, dim=1)
        memory = keep.sigmoid() * memory + enter.sigmoid() * update.tanh()
        return torch.cat([leave.sigmoid() * memory.tanh(), memory], dim=1)


class TreeLSTMDecoder(nn.Module):
    """Send each root's embedding down its tree. It belongs to the loss: a saved model does not carry it.

    As in StrAE the root's downward embedding is its upward one, and nothing else of the upward pass reaches the
    decoder: its memory starts empty.

    Args:
        dimension: D, values of an embedding; the encoder's.
        dropout: Share of values dropped from each decomposed embedding in training, in [0, 1).
    """

    knows_roots = True
    """Whether a root's downward embedding depends on its sentence."""

    def __init__(self, dimension: int, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.dropout = dropout
        self.decomposition = TreeLSTMDecomposition(dimension)

    def forward(self, states: TreeStates) -> Float[Tensor, "N D"]:
        """Return the downward embedding of every node, in the order of ``states.up``."""
        trees, up = states.trees, states.up
        noise = None
        if self.training and self.dropout:
            noise = torch.cat([functional.dropout(torch.ones_like(up), self.dropout), torch.ones_like(up)], dim=1)
        roots = up[trees.roots[trees.roots >= 0]]
        roots = torch.cat([roots, torch.zeros_like(roots)], dim=1)
        return self.decomposition.downward(roots, trees, noise)[:, : up.shape[1]]
