"""The decoder of a tree autoencoder. It belongs to the loss: a saved model does not carry it."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from selfsent.kernels.passes import downward
from selfsent.modules.composition import AffineDecomposition
from selfsent.modules.tree_encoder import TreeStates


class TreeDecoder(nn.Module):
    """Send each root's embedding down its tree.

    The root's downward embedding is its upward embedding; nothing else of the upward pass reaches the decoder.

    Source: Opper et al., EMNLP 2023 (StrAE), Section 3; dropout rate from the authors' released code.

    Args:
        channel_size: U, values a channel; the encoder's.
        dropout: Share of values dropped from each decomposed embedding in training, in [0, 1).
    """

    def __init__(self, channel_size: int, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.decomposition = AffineDecomposition(channel_size)
        self.dropout = dropout

    def forward(self, states: TreeStates) -> Float[Tensor, "N D"]:
        """Return the downward embedding of every node, in the order of ``states.up``."""
        trees, up = states.trees, states.up
        noise = functional.dropout(up.new_ones(up.shape), self.dropout) if self.training and self.dropout else None
        return downward(up[trees.roots[trees.roots >= 0]], trees, self.decomposition, noise)
