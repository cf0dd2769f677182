"""The decoder that mirrors a `TextCNN`. It belongs to the loss: a saved model does not carry it."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from selfsent.errors import UserError
from selfsent.modules.text_cnn import CnnSizes
from selfsent.options import required, takes_only
from selfsent.shapes import Embeddings


@dataclass(frozen=True, kw_only=True)
class TextCNNDecoderOptions(CnnSizes):
    """Options of `TextCNNDecoder`; sizes are the encoder's.

    Args:
        max_tokens: Tokens of the longest text that can be rebuilt.
    """

    max_tokens: int = required(at_least=1)


class TextCNNDecoder(nn.Module):
    """Rebuild every token state of a text from its embedding alone, by transposed convolutions.

    The encoder backwards: one transposed convolution spreads the embedding over as many positions as the text has
    tokens, ``channels`` values for each kernel; then every kernel rebuilds the states on its own, and their mean is the
    answer. What stands beyond a text's end is zero, so its batch mates do not change what is rebuilt.

    The spreading convolution has ``D * max_tokens * channels * len(kernel_sizes)`` weights.

    Source: SARCSE (Liu et al. 2024, arXiv 2402.15153): transposed convolutions that mirror the encoder.
    Differs: order, activation and the mean over kernels are not in what could be had of the paper; chosen.

    Args:
        options: Options by keyword; see `TextCNNDecoderOptions`.

    Raises:
        UserError: A setting is outside its range.
    """

    @takes_only(TextCNNDecoderOptions)
    def __init__(self, options: TextCNNDecoderOptions) -> None:
        super().__init__()
        self.options = options
        width, channels = options.embedding_dimension, options.channels
        self.spreading = nn.ConvTranspose1d(width, channels * len(options.kernel_sizes), options.max_tokens)
        self.scales = nn.ModuleList(
            nn.ConvTranspose1d(channels, width, kernel_size, padding=(kernel_size - 1) // 2)
            for kernel_size in options.kernel_sizes
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start anew at PyTorch's default; the spreading one at a linear layer's, as a position reads D values."""
        for module in self.modules():
            if isinstance(module, nn.ConvTranspose1d):
                module.reset_parameters()
        bound = 1 / math.sqrt(self.options.embedding_dimension)
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
            return embeddings.new_zeros(0, self.options.embedding_dimension)
        if longest > self.options.max_tokens:
            raise UserError(
                f"a text of {longest} tokens is longer than the {self.options.max_tokens} that the decoder is made for;"
                f" make the loss after setting the model's max_seq_length, or cut texts to {self.options.max_tokens}"
            )
        is_there = torch.arange(longest, device=num_tokens.device) < num_tokens[:, None]
        spread = functional.relu(self._spread(embeddings, longest)).masked_fill(~is_there[:, None, :], 0.0)
        parts = spread.split(self.options.channels, dim=1)
        rebuilt = [_same_length(scale, part) for scale, part in zip(self.scales, parts, strict=True)]
        return torch.stack(rebuilt).mean(dim=0).transpose(1, 2)[is_there]

    def _spread(self, embeddings: Tensor, num_positions: int) -> Tensor:
        """Apply the spreading convolution to one position a text, as far as positions are needed."""
        weight = self.spreading.weight[:, :, :num_positions]
        return functional.conv_transpose1d(embeddings[:, :, None], weight, self.spreading.bias)


def _same_length(convolution: nn.Module, states: Tensor) -> Tensor:
    """Convolve without changing the length: an even kernel gives one position too many, which the encoder never saw."""
    return convolution(states)[..., -states.shape[-1] :]
