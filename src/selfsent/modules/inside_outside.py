"""The inside-outside recursive network: an embedding of a span, and one of its context.

The way up gives every node its inside embedding; the way down gives it its outside embedding, of everything in the
sentence but what is under the node.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from selfsent.kernels.outside_pass import outside
from selfsent.modules.frontier_merging import GatedComposition
from selfsent.modules.tree_states import TreeStates


class InsideComposition(GatedComposition):
    """Compose two children into their parent: ``tanh([left right] W + b)``.

    Source: Le & Zuidema, EMNLP 2014, Section 3, the inside representation; tanh for f.

    Args:
        dimension: D, values of an embedding.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__(dimension)
        self.linear = nn.Linear(2 * dimension, dimension)

    def reset_parameters(self) -> None:
        """Draw the weights again."""
        self.linear.reset_parameters()

    def forward(self, left: Float[Tensor, "P D"], right: Float[Tensor, "P D"]) -> Float[Tensor, "P D"]:
        """Compose children into parents, row by row."""
        return self.linear(torch.cat([left, right], dim=1)).tanh()


class OutsideCell(nn.Module):
    """Derive a child's outside embedding from its parent's and its sibling's inside one.

    ``tanh([outside of parent, inside of sibling] W + b)``, with weights of their own for left and right children.
    Source: Le & Zuidema, EMNLP 2014, Section 3, the outside representation; tanh for g.

    Args:
        dimension: D, values of an embedding.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.left, self.right = (nn.Linear(2 * dimension, dimension) for _ in ("left", "right"))

    def forward(
        self, parent: Float[Tensor, "P D"], left: Float[Tensor, "P D"], right: Float[Tensor, "P D"]
    ) -> tuple[Float[Tensor, "P D"], Float[Tensor, "P D"]]:
        """Take the outside of parents and the inside of their children; return the outside of left and right."""
        of_left = self.left(torch.cat([parent, right], dim=1)).tanh()
        return of_left, self.right(torch.cat([parent, left], dim=1)).tanh()


class OutsideDecoder(nn.Module):
    """Give every node its outside embedding. It belongs to the loss: a saved model does not carry it.

    A root has no context: all roots share one learned embedding.

    Source: Le & Zuidema, EMNLP 2014, Section 3.

    Args:
        dimension: D, values of an embedding; the encoder's.
        dropout: Share of values dropped from each outside embedding in training, in [0, 1).
    """

    knows_roots = False
    """Whether a root's downward embedding depends on its sentence."""

    def __init__(self, dimension: int, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.dropout = dropout
        self.cell = OutsideCell(dimension)
        self.root = nn.Parameter(torch.empty(dimension).uniform_(-1, 1))

    def forward(self, states: TreeStates) -> Float[Tensor, "N D"]:
        """Return the outside embedding of every node, in the order of ``states.up``."""
        is_noisy = self.training and self.dropout > 0
        noise = functional.dropout(torch.ones_like(states.up), self.dropout) if is_noisy else None
        return outside(self.root, states.up, states.trees, self.cell, noise)
