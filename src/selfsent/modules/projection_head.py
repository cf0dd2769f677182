"""Heads between encoder and objective. They belong to the loss: a saved model does not carry them."""

from jaxtyping import Float
from torch import Tensor, nn

from selfsent.errors import UserError


class TanhHead(nn.Module):
    """One affine layer and a hyperbolic tangent, as BERT's own pooler has it, with fresh weights.

    Source: SimCSE (Gao et al., EMNLP 2021), Section 3.1 and released code: kept on [CLS] while training, removed at
    test in the unsupervised setting.

    Args:
        width: D of the sentence embedding, at least 1.

    Raises:
        UserError: The width is below 1.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        _check_positive(width=width)
        self.linear = nn.Linear(width, width)

    def forward(self, embeddings: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        """Return the projected embeddings; each value lies in (-1, 1)."""
        return self.linear(embeddings).tanh()


class StackedHead(nn.Module):
    """Blocks ``Linear(d, e d) -> ReLU -> Linear(e d, d)`` one after another, nothing in between.

    Source: SCT (Limkonchotiwat et al., TACL 2023), Section 3 and released code: three blocks with e = 10, on the online
    vectors of both views, discarded at test.

    Args:
        width: d of the sentence embedding, at least 1.
        expansion: e, how many times wider the hidden layer is, at least 1 (paper: 10).
        num_blocks: Blocks, at least 1 (paper: 3).

    Raises:
        UserError: A number is below 1.
    """

    def __init__(self, width: int, *, expansion: int = 10, num_blocks: int = 3) -> None:
        super().__init__()
        _check_positive(width=width, expansion=expansion, num_blocks=num_blocks)
        self.blocks = nn.Sequential(*(_block(width, expansion * width) for _ in range(num_blocks)))

    def forward(self, embeddings: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        """Return the projected embeddings."""
        return self.blocks(embeddings)


def _block(width: int, hidden_width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, hidden_width), nn.ReLU(), nn.Linear(hidden_width, width))


def _check_positive(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise UserError(f"{name} of a projection head must be 1 or more, got {count}")
