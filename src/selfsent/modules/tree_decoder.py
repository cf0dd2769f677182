"""The decoder of a tree autoencoder. It belongs to the loss: a saved model does not carry it."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from selfsent.errors import UserError
from selfsent.modules.composition import Cell, CellInit, decomposition_of
from selfsent.modules.tree_states import TreeStates


class TreeDecoder(nn.Module):
    """Send each root's embedding down its tree.

    The root's downward embedding is its upward embedding; nothing else of the upward pass reaches the decoder.

    Source: Opper et al., EMNLP 2023 (StrAE), Section 3; dropout rate from the authors' released code.

    Args:
        channel_size: U, values a channel; the encoder's.
        cell: The encoder's.
        dropout: Share of values dropped from each decomposed embedding in training, in [0, 1).
        init: How the decomposition starts; the encoder's ``composition_init``.

    Raises:
        UserError: The dropout is outside its range.
    """

    knows_roots = True
    """Whether a root's downward embedding depends on its sentence."""

    def __init__(
        self, channel_size: int, *, cell: Cell = "affine", dropout: float = 0.1, init: CellInit = "uniform"
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise UserError(
                f"decomposition_dropout={dropout} is no share of values to drop; give 0 or more, less than 1"
            )
        self.decomposition = decomposition_of(cell, channel_size, init=init)
        self.dropout = dropout

    def forward(self, states: TreeStates) -> Float[Tensor, "N D"]:
        """Return the downward embedding of every node, in the order of ``states.up``."""
        trees, up = states.trees, states.up
        noise = functional.dropout(up.new_ones(up.shape), self.dropout) if self.training and self.dropout else None
        roots = up[trees.roots[trees.roots >= 0]]
        return self.decomposition.downward(roots, trees, noise)
