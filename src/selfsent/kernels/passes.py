"""The differentiable upward and downward passes over known trees, one level of equal height at a time.

Both work for any cell (affine, diagonal, gated): the forward pass fills one ``(N, D)`` matrix without recording a
graph, and the backward pass recomputes each level's cell to get its gradients. Memory is that of the node matrix. A
second derivative is refused.
Source: Opper et al., EMNLP 2023, Section 3 (composition and decomposition along a tree).
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from selfsent.trees.arrays import TreeBatch
from selfsent.trees.entangled import EntangledTrees

Composition = Callable[[Tensor, Tensor], Tensor]
Decomposition = Callable[[Tensor], tuple[Tensor, Tensor]]


def upward(
    leaves: Float[Tensor, "L D"],
    trees: TreeBatch | EntangledTrees,
    composition: nn.Module,
    noise: Float[Tensor, "I D"] | None = None,
) -> Float[Tensor, "N D"]:
    """Compose every internal node from its children, leaves to root.

    Args:
        leaves: Leaf embeddings in reading order, all sentences one after another; of entangled trees, by token.
        trees: The trees to follow.
        composition: Takes left and right children, ``(P, D)`` each, and returns parents ``(P, D)``.
        noise: Factors on each composed embedding (dropout), in merge order; ``None`` for none.

    Returns:
        Upward embeddings of all nodes. Gradients reach ``leaves`` and the composition's parameters.
    """
    with torch.autocast(leaves.device.type, enabled=False):
        return _Upward.apply(leaves, noise, trees, composition, *_trained(composition))  # pyright: ignore[reportReturnType]


def downward(
    roots: Float[Tensor, "R D"], trees: TreeBatch, decomposition: nn.Module, noise: Float[Tensor, "N D"] | None = None
) -> Float[Tensor, "N D"]:
    """Decompose every internal node into its children, root to leaves.

    Args:
        roots: Upward embedding of the root of each sentence that has a token; as it stands, the root's downward one.
        trees: The trees to follow.
        decomposition: Takes parents ``(P, D)`` and returns left and right children, ``(P, D)`` each.
        noise: Factors on each decomposed embedding (dropout), one row a node; those of roots are not used.

    Returns:
        Downward embeddings of all nodes. Gradients reach ``roots`` and the decomposition's parameters.
    """
    trained = _trained(decomposition)
    with torch.autocast(roots.device.type, enabled=False):
        return _Downward.apply(roots, noise, trees, decomposition, *trained)  # pyright: ignore[reportReturnType]


def _trained(cell: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in cell.parameters() if parameter.requires_grad]


def _add(totals: Iterable[Tensor], gradients: Iterable[Tensor]) -> None:
    for total, gradient in zip(totals, gradients, strict=True):
        total.add_(gradient)


class _Upward(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        leaves: Tensor,
        noise: Tensor | None,
        trees: TreeBatch | EntangledTrees,
        composition: nn.Module,
        *_: Tensor,
    ) -> Tensor:
        nodes = leaves.new_zeros(trees.num_nodes, leaves.shape[1])
        nodes[trees.leaf_nodes] = leaves
        factors = None if noise is None else _spread(noise, trees)
        for level in trees.levels:
            parents = composition(nodes[level.left], nodes[level.right])
            nodes[level.parents] = parents if factors is None else parents * factors[level.parents]
        ctx.save_for_backward(nodes, factors)
        ctx.trees, ctx.composition = trees, composition
        return nodes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride] its decorator hides the names
        nodes, factors = ctx.saved_tensors
        gradient, trees, composition = gradients[0].clone(), ctx.trees, ctx.composition
        trained = _trained(composition)
        totals = [torch.zeros_like(parameter) for parameter in trained]
        for level in reversed(trees.levels):
            children = [nodes[side].requires_grad_() for side in (level.left, level.right)]
            with torch.enable_grad():
                parents = composition(*children)
            outer = gradient[level.parents]
            outer = outer if factors is None else outer * factors[level.parents]
            left, right, *of_parameters = torch.autograd.grad(parents, [*children, *trained], outer)
            gradient.index_add_(0, level.left, left)  # a child of entangled trees has several parents
            gradient.index_add_(0, level.right, right)
            _add(totals, of_parameters)
        return gradient[trees.leaf_nodes], None, None, None, *totals


class _Downward(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, roots: Tensor, noise: Tensor | None, trees: TreeBatch, decomposition: nn.Module, *_: Tensor
    ) -> Tensor:
        nodes = roots.new_zeros(trees.num_nodes, roots.shape[1])
        nodes[trees.roots[trees.roots >= 0]] = roots
        for level in reversed(trees.levels):
            for child, value in zip((level.left, level.right), decomposition(nodes[level.parents]), strict=True):
                nodes[child] = value if noise is None else value * noise[child]
        ctx.save_for_backward(nodes, noise)
        ctx.trees, ctx.decomposition = trees, decomposition
        return nodes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride] its decorator hides the names
        nodes, noise = ctx.saved_tensors
        gradient, trees, decomposition = gradients[0].clone(), ctx.trees, ctx.decomposition
        trained = _trained(decomposition)
        totals = [torch.zeros_like(parameter) for parameter in trained]
        for level in trees.levels:
            parents = nodes[level.parents].requires_grad_()
            with torch.enable_grad():
                children = decomposition(parents)
            outer = [gradient[side] for side in (level.left, level.right)]
            if noise is not None:
                outer = [value * noise[side] for value, side in zip(outer, (level.left, level.right), strict=True)]
            of_parents, *of_parameters = torch.autograd.grad(children, [parents, *trained], outer)
            gradient[level.parents] += of_parents
            _add(totals, of_parameters)
        return gradient[trees.roots[trees.roots >= 0]], None, None, None, *totals


def _spread(noise: Tensor, trees: TreeBatch | EntangledTrees) -> Tensor:
    """Place factors given in merge order at their nodes."""
    factors = noise.new_ones(trees.num_nodes, noise.shape[1])
    factors[trees.merge_nodes] = noise
    return factors
