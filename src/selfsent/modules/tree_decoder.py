"""The decoder of a tree autoencoder. It belongs to the loss: a saved model does not carry it."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from selfsent.errors import UserError
from selfsent.modules.composition import Cell, CellInit, decomposition_of
from selfsent.modules.tree_options import Roots
from selfsent.modules.tree_states import TreeStates


class TreeDecoder(nn.Module):
    """Send each root's embedding down its tree.

    The root's downward embedding is its upward embedding, or a linear map of it; nothing else of the upward pass
    reaches the decoder.

    Source: Opper et al., EMNLP 2023 (StrAE), Section 3; dropout rate from the authors' released code.

    Args:
        channel_size: U, values a channel; the encoder's.
        cell: The encoder's.
        dropout: Share of values dropped from each decomposed embedding in training, in [0, 1).
        init: How the decomposition starts, and a map of roots (``sum``: at the identity); the encoder's
            ``composition_init``.
        roots: ``separate`` maps the upward embedding of a root, channel by channel, before it goes down.

    Raises:
        UserError: The dropout is outside its range.
    """

    knows_roots = True
    """Whether a root's downward embedding depends on its sentence."""

    def __init__(
        self,
        channel_size: int,
        *,
        cell: Cell = "affine",
        dropout: float = 0.1,
        init: CellInit = "uniform",
        roots: Roots = "shared",
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise UserError(f"decomposition_dropout={dropout} must be in [0, 1)")
        self.decomposition = decomposition_of(cell, channel_size, init=init)
        self.dropout = dropout
        self.channel_size = channel_size
        self.root_map = nn.Linear(channel_size, channel_size) if roots == "separate" else None
        if self.root_map is not None and init == "sum":
            nn.init.eye_(self.root_map.weight)
            nn.init.zeros_(self.root_map.bias)

    def forward(self, states: TreeStates) -> Float[Tensor, "N D"]:
        """Return the downward embedding of every node, in the order of ``states.up``."""
        trees, up = states.trees, states.up
        noise = functional.dropout(up.new_ones(up.shape), self.dropout) if self.training and self.dropout else None
        roots = up[trees.roots[trees.roots >= 0]]
        if self.root_map is not None:
            with torch.autocast(roots.device.type, enabled=False):
                roots = self.root_map(
                    roots.to(self.root_map.weight.dtype).unflatten(1, (-1, self.channel_size))
                ).flatten(1)
        return self.decomposition.downward(roots, trees, noise)
