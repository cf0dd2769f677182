"""Context during composition: the mean of its neighbours is added to each leaf."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from selfsent.trees.tree import IntArray

Context = Literal["none", "neighbours"]
"""What a leaf knows of its sentence before composition: nothing, as in the paper, or the mean of its neighbours."""


def with_neighbours(leaves: Float[Tensor, "L D"], num_tokens: IntArray) -> Float[Tensor, "L D"]:
    """Add to each leaf the mean of the leaves beside it in its sentence; a sentence of one leaf stays as it is.

    Source: left open by StrAE (Opper et al., EMNLP 2023): contextualised embeddings during composition.

    Args:
        leaves: Leaf embeddings, all sentences one after another.
        num_tokens: Leaves of each sentence, ``(B,)``.
    """
    if len(leaves) < 2:  # noqa: PLR2004 a neighbour needs two
        return leaves
    sentence = np.repeat(np.arange(len(num_tokens)), num_tokens)
    are_neighbours = torch.from_numpy(sentence[:-1] == sentence[1:]).to(leaves)[:, None]
    after = functional.pad(leaves[1:] * are_neighbours, (0, 0, 0, 1))
    before = functional.pad(leaves[:-1] * are_neighbours, (0, 0, 1, 0))
    num_neighbours = functional.pad(are_neighbours, (0, 0, 0, 1)) + functional.pad(are_neighbours, (0, 0, 1, 0))
    return leaves + (before + after) / num_neighbours.clamp(min=1)
