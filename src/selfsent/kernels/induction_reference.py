"""Greedy induction as published, in plain torch: what the compiled forms are tested against.

Source: Opper et al., EMNLP 2023 (Self-StrAE).
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from selfsent.trees.arrays import IntArray, TreeBatch, node_offsets

Compose = Callable[[Tensor, Tensor], Tensor]


def affine(weight: Float[Tensor, "U U2"], bias: Float[Tensor, " U"]) -> Compose:
    """The composition of an affine cell, the same for every channel."""

    def compose(left: Tensor, right: Tensor) -> Tensor:
        channels = [side.unflatten(1, (-1, len(bias))) for side in (left, right)]
        return functional.linear(torch.cat(channels, dim=2), weight, bias).flatten(1)

    return compose


def induce_reference(
    leaves: Float[Tensor, "L D"], num_tokens: IntArray, compose: Compose, noise: Float[Tensor, "I D"] | None = None
) -> tuple[TreeBatch, Float[Tensor, "N D"]]:
    """Find the trees as published: one merge a sentence a step, all similarities anew, differentiable throughout.

    Args:
        leaves: Leaf embeddings of all sentences, one after another.
        num_tokens: Leaves of each sentence, ``(B,)``.
        compose: Any composition of two ``(B, D)`` tensors.
        noise: Factors on each composed embedding (dropout), in merge order; ``None`` for none.

    Returns:
        The trees, and the upward embedding of every node; gradients reach ``leaves`` and the composition.
    """
    lengths = torch.from_numpy(num_tokens)
    offsets, merge_offsets = torch.from_numpy(node_offsets(num_tokens)[:-1]), (lengths - 1).clamp(min=0).cumsum(0)
    merge_offsets = merge_offsets - (lengths - 1).clamp(min=0)
    frontier = torch.nn.utils.rnn.pad_sequence(list(leaves.split(num_tokens.tolist())), batch_first=True)
    position = torch.arange(frontier.shape[1])
    node = offsets[:, None] + position
    values, places = [leaves], [torch.cat([o + torch.arange(int(n)) for o, n in zip(offsets, lengths, strict=True)])]
    left, right = torch.zeros(2, int((lengths - 1).clamp(min=0).sum()), dtype=torch.int64)
    for step in range(int(lengths.max()) - 1 if len(lengths) else 0):
        active = torch.nonzero(lengths - 1 > step).squeeze(1)
        best = _most_similar_pair(frontier[active].detach(), lengths[active] - step)
        lefts, rights = frontier[active, best], frontier[active, best + 1]
        parent, merge = compose(lefts, rights), merge_offsets[active] + step
        parent = parent if noise is None else parent * noise[merge]
        parent_node = offsets[active] + lengths[active] + step
        left[merge], right[merge] = node[active, best], node[active, best + 1]
        values.append(parent)
        places.append(parent_node)
        whole_best = torch.zeros(len(lengths), dtype=torch.int64).index_copy(0, active, best)
        keep = (position[:-1] + (position[:-1] > whole_best[:, None])).expand(len(lengths), -1)
        node = node.gather(1, keep).index_put((active, best), parent_node)
        frontier = frontier.gather(1, keep[:, :, None].expand(-1, -1, frontier.shape[2]))
        frontier = frontier.index_put((active, best), parent)
        position = position[:-1]
    up = torch.cat(values)[torch.argsort(torch.cat(places))]
    return TreeBatch(num_tokens, left.numpy(), right.numpy()), up


def _most_similar_pair(frontier: Float[Tensor, "A T D"], lengths: Tensor) -> Tensor:
    """Position of the left member of each sentence's most similar adjacent pair; the first where several are equal."""
    similarity = functional.cosine_similarity(frontier[:, :-1], frontier[:, 1:], dim=-1)
    is_pair = torch.arange(similarity.shape[1]) < lengths[:, None] - 1
    return similarity.masked_fill(~is_pair, -torch.inf).argmax(dim=1)
