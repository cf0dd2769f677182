"""Sums of tokens: where a cell adds its children, a sentence is the sum of its tokens, and its tree is not needed."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from selfsent.modules.composition import AffineComposition
from selfsent.modules.weighted_embedding import FrequencyWeightedEmbedding


def adds_children(composition: nn.Module) -> bool:
    """Tell whether a cell is exactly ``parent = left + right``, as ``composition_init=sum`` starts an affine one."""
    if type(composition) is not AffineComposition:
        return False
    weight = composition.linear.weight
    added = torch.eye(composition.channel_size, dtype=weight.dtype, device=weight.device).repeat(1, 2)
    return torch.equal(weight, added) and not composition.linear.bias.any()


def leaf_sums(
    embedding: nn.Embedding, token_ids: Int[Tensor, " L"], num_tokens: Int[Tensor, " B"]
) -> Float[Tensor, "B D"]:
    """Sum the embeddings of the tokens of each sentence, without making a row for each token.

    Args:
        embedding: The table, weighted or not.
        token_ids: Tokens of all sentences, one after another.
        num_tokens: Tokens of each sentence.

    Returns:
        One row a sentence; zero for one without tokens.
    """
    starts = num_tokens.cumsum(0) - num_tokens
    weights = embedding.token_weights[token_ids] if isinstance(embedding, FrequencyWeightedEmbedding) else None
    return functional.embedding_bag(token_ids, embedding.weight, starts, mode="sum", per_sample_weights=weights)


def in_rows(leaves: Float[Tensor, "L D"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
    """Put the leaves of each sentence into a row, zeros behind them."""
    places = mask.flatten().nonzero().squeeze(1)
    return leaves.new_zeros(mask.numel(), leaves.shape[1]).index_copy_(0, places, leaves).unflatten(0, mask.shape)


def summed_features(
    features: Mapping[str, Any],
    embedding: nn.Embedding,
    token_ids: Int[Tensor, " L"],
    num_tokens: Int[np.ndarray, " B"],
    find_states: Callable[[Float[Tensor, "L D"]], Any],
) -> dict[str, Any]:
    """Add to features what a tree encoder does, but compute trees and rows of tokens only when they are read.

    Args:
        features: Those of the batch.
        embedding: The table.
        token_ids: Tokens of all sentences, one after another.
        num_tokens: Tokens of each sentence.
        find_states: Finds the trees over leaf embeddings and composes them.
    """

    def states() -> Any:
        with torch.no_grad():
            return find_states(embedding(token_ids))

    def rows() -> Tensor:
        with torch.no_grad():
            return in_rows(embedding(token_ids), features["attention_mask"].bool())

    sums = leaf_sums(embedding, token_ids, torch.from_numpy(num_tokens).to(token_ids.device))
    return FeaturesOnDemand({**features, "sentence_embedding": sums}, {"trees": states, "token_embeddings": rows})


class FeaturesOnDemand(dict[str, Any]):
    """Features of a batch, some of which are computed when they are first asked for.

    Args:
        known: Features that are known already.
        pending: For each other feature the function that computes it.
    """

    def __init__(self, known: Mapping[str, Any], pending: Mapping[str, Callable[[], Any]]) -> None:
        super().__init__(known)
        self._pending = dict(pending)

    def __missing__(self, name: str) -> Any:
        if name not in self._pending:
            raise KeyError(name)
        self[name] = self._pending.pop(name)()
        return self[name]

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self._pending

    def __iter__(self) -> Iterator[str]:
        return iter([*super().__iter__(), *self._pending])

    def __len__(self) -> int:
        return super().__len__() + len(self._pending)

    def keys(self) -> Any:
        """All names."""
        return list(self)

    def items(self) -> Any:
        """Compute whatever is still pending, and give everything."""
        for name in list(self._pending):
            self[name]
        return super().items()
