"""The downward pass over entangled trees: a node with several parents is the mean of what they send it.

The upward pass is that of trees (`passes.upward`), since a node has two children whether it is shared or not. As there,
the forward pass records no graph, and the backward pass computes each level's cell anew.

Source: Opper & Siddharth, Banyan (arXiv 2407.17771), message passing; dropout on messages as in the released code.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from selfsent.trees.arrays import Level
from selfsent.trees.entangled import EntangledTrees


def entangled_downward(
    tops: Float[Tensor, "R D"], graph: EntangledTrees, decomposition: nn.Module, noise: Tensor | None = None
) -> Float[Tensor, "N D"]:
    """Send embeddings from the tops of the graph down to its leaves.

    Args:
        tops: Upward embeddings of ``graph.tops``; as they stand, their downward ones.
        graph: The entangled trees.
        decomposition: Takes parents ``(P, D)`` and returns messages to left and right children, ``(P, D)`` each.
        noise: Factors on messages (dropout), ``(2, I, D)``: to the left and to the right children, in merge order.

    Returns:
        Downward embeddings of all nodes. Gradients reach ``tops`` and the decomposition's parameters.
    """
    trained = [parameter for parameter in decomposition.parameters() if parameter.requires_grad]
    with torch.autocast(tops.device.type, enabled=False):
        return _EntangledDownward.apply(tops, noise, graph, decomposition, *trained)  # pyright: ignore[reportReturnType]


def _factors(graph: EntangledTrees, noise: Tensor | None, level: Level, shares: Tensor) -> list[Tensor]:
    """What each message of a level counts by: its child's share, and the noise on it."""
    factors = [shares[level.left], shares[level.right]]
    if noise is None:
        return factors
    merges = level.parents - len(graph.token_ids)
    return [factor * noise[side, merges] for side, factor in enumerate(factors)]


def _shares(graph: EntangledTrees, like: Tensor) -> Tensor:
    """One over the number of parents, ``(M, 1)``."""
    return graph.num_parents.clamp(min=1).to(like).reciprocal()[:, None]


class _EntangledDownward(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, tops: Tensor, noise: Tensor | None, graph: EntangledTrees, decomposition: nn.Module, *trained: Tensor
    ) -> Tensor:
        nodes = tops.new_zeros(graph.num_nodes, tops.shape[1])
        nodes[graph.tops] = tops
        shares = _shares(graph, tops)
        for level in reversed(graph.levels):
            messages = decomposition(nodes[level.parents])
            factors = _factors(graph, noise, level, shares)
            for child, message, factor in zip((level.left, level.right), messages, factors, strict=True):
                nodes.index_add_(0, child, message * factor)
        ctx.save_for_backward(nodes, noise)
        ctx.graph, ctx.decomposition, ctx.trained = graph, decomposition, trained
        return nodes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride] its decorator hides the names
        nodes, noise = ctx.saved_tensors
        gradient, graph, trained = gradients[0].clone(), ctx.graph, ctx.trained
        totals = [torch.zeros_like(parameter) for parameter in trained]
        shares = _shares(graph, nodes)
        for level in graph.levels:
            parents = nodes[level.parents].requires_grad_()
            with torch.enable_grad():
                messages = ctx.decomposition(parents)
            factors = _factors(graph, noise, level, shares)
            outer = [gradient[child] * f for child, f in zip((level.left, level.right), factors, strict=True)]
            of_parents, *of_parameters = torch.autograd.grad(messages, [parents, *trained], outer)
            gradient.index_add_(0, level.parents, of_parents)
            for total, part in zip(totals, of_parameters, strict=True):
                total.add_(part)
        return gradient[graph.tops], None, None, None, *totals
