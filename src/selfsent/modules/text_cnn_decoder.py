"""The decoder that mirrors a `TextCNN`. It belongs to the loss: a saved model does not carry it."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from selfsent.errors import UserError
from selfsent.modules.text_cnn import check_kernel_sizes
from selfsent.shapes import Embeddings


class TextCNNDecoder(nn.Module):
    """Rebuild every token state of a text from its embedding alone, by transposed convolutions.

    The encoder backwards: one transposed convolution spreads the embedding over as many positions as the text has
    tokens, ``channels`` values for each kernel; then every kernel rebuilds the states on its own, and their mean is the
    answer. Values beyond a text's end are zero, so other texts of the batch do not change the result.

    The spreading convolution has ``D * max_tokens * channels * len(kernel_sizes)`` weights.

    Source: SARCSE (Liu et al. 2024, arXiv 2402.15153): transposed convolutions that mirror the encoder.
    Differs: the text of the paper that was available does not give order, activation and the mean over kernels; chosen.

    Args:
        embedding_dimension: D, of the embedding and of the token states.
        max_tokens: Tokens of the longest text that can be rebuilt.
        channels: Values a position and kernel; the encoder's.
        kernel_sizes: Widths of the windows in tokens; the encoder's.

    Raises:
        UserError: A setting is outside its range.
    """

    def __init__(
        self,
        *,
        embedding_dimension: int,
        max_tokens: int,
        channels: int = 256,
        kernel_sizes: Sequence[int] = (3, 4, 5),
    ) -> None:
        super().__init__()
        self.embedding_dimension = embedding_dimension
        self.max_tokens = max_tokens
        self.channels = channels
        self.kernel_sizes = list(kernel_sizes)
        self._check_settings()
        self.spreading = nn.ConvTranspose1d(embedding_dimension, channels * len(self.kernel_sizes), max_tokens)
        self.scales = nn.ModuleList(
            nn.ConvTranspose1d(channels, embedding_dimension, width, padding=(width - 1) // 2)
            for width in self.kernel_sizes
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights again by PyTorch's defaults; the spreading ones as a linear layer of D inputs."""
        for module in self.modules():
            if isinstance(module, nn.ConvTranspose1d):
                module.reset_parameters()
        bound = 1 / math.sqrt(self.embedding_dimension)
        nn.init.uniform_(self.spreading.weight, -bound, bound)

    def forward(self, embeddings: Embeddings, token_mask: Bool[Tensor, "B T"]) -> Float[Tensor, "L D"]:
        """Rebuild the states of all tokens of all texts.

        Args:
            embeddings: One row a text.
            token_mask: True = a token of the text; only how many there are in a row is read.

        Returns:
            One row a token, in the order of ``states[token_mask]``.

        Raises:
            UserError: A text has more tokens than ``max_tokens``.
        """
        num_tokens = token_mask.sum(dim=1)
        longest = int(num_tokens.max()) if len(num_tokens) else 0
        if not longest:
            return embeddings.new_zeros(0, self.embedding_dimension)
        if longest > self.max_tokens:
            raise UserError(
                f"a text of {longest} tokens is longer than the {self.max_tokens} that the decoder was made for; make"
                f" the loss after setting the model's max_seq_length, or cut texts to {self.max_tokens}"
            )
        is_there = torch.arange(longest, device=num_tokens.device) < num_tokens[:, None]
        spread = functional.relu(self._spread(embeddings, longest)).masked_fill(~is_there[:, None, :], 0.0)
        parts = spread.split(self.channels, dim=1)
        rebuilt = [_same_length(scale, part) for scale, part in zip(self.scales, parts, strict=True)]
        return torch.stack(rebuilt).mean(dim=0).transpose(1, 2)[is_there]

    def _spread(self, embeddings: Tensor, num_positions: int) -> Tensor:
        """Apply the spreading convolution to one position a text, as far as positions are needed."""
        weight = self.spreading.weight[:, :, :num_positions]
        return functional.conv_transpose1d(embeddings[:, :, None], weight, self.spreading.bias)

    def _check_settings(self) -> None:
        sizes = {
            "embedding_dimension": self.embedding_dimension,
            "max_tokens": self.max_tokens,
            "channels": self.channels,
        }
        problems = [f"{name} must be 1 or more, got {value}" for name, value in sizes.items() if value < 1]
        problems += check_kernel_sizes(self.kernel_sizes)
        if problems:
            raise UserError(f"a decoder of token states cannot be built: {'; '.join(problems)}")


def _same_length(convolution: nn.Module, states: Tensor) -> Tensor:
    """Convolve without changing the length: an even kernel gives one position too many, which the encoder never saw."""
    return convolution(states)[..., -states.shape[-1] :]
