"""An embedding table whose frequent tokens count less."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class FrequencyWeightedEmbedding(nn.Embedding):
    """Embed each token as its row times ``a / (a + p)``, p the token's share of a corpus.

    The weights are fixed, kept beside the table in a buffer, and all 1 until `count` is called. In a sum of words they
    give rare words, which distinguish sentences, more weight than frequent ones.

    Source: Arora, Liang and Ma, ICLR 2017 (smooth inverse frequency), a about 0.001.
    Differs: the weights are there in training too, and principal components are not removed.

    Args:
        num_tokens: V, rows of the table.
        dimension: D, values of a row.
        frequency_weight: a, above 0; the larger, the less the weights differ.
    """

    def __init__(self, num_tokens: int, dimension: int, *, frequency_weight: float) -> None:
        super().__init__(num_tokens, dimension)
        self.frequency_weight = frequency_weight
        self.token_weights: Tensor
        self.register_buffer("token_weights", torch.ones(num_tokens))

    def count(self, counts: Int[np.ndarray, " V"]) -> None:
        """Set the weights from how often each token occurs in the corpus."""
        shares = torch.from_numpy(counts / max(int(counts.sum()), 1)).to(self.token_weights)
        self.token_weights.copy_(self.frequency_weight / (self.frequency_weight + shares))

    def weighted(self) -> Float[Tensor, "V D"]:
        """Give the embeddings of all tokens."""
        return self.weight * self.token_weights[:, None]

    def forward(self, input: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape D"]:  # noqa: A002 torch's own name
        """Embed token ids."""
        return super().forward(input) * self.token_weights[input][..., None]


def embedding_of(num_tokens: int, dimension: int, *, frequency_weight: float) -> nn.Embedding:
    """Make a table: weighted, or plain where ``frequency_weight`` is 0."""
    if frequency_weight:
        return FrequencyWeightedEmbedding(num_tokens, dimension, frequency_weight=frequency_weight)
    return nn.Embedding(num_tokens, dimension)
