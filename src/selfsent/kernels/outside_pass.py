"""The differentiable outside pass over known trees: what stands around a node, one level of equal height at a time.

The counterpart of `selfsent.kernels.passes` for cells that read the sibling too. The backward pass recomputes each
level's cell, so memory is that of the node matrix. A second derivative is refused.
Source: Le & Zuidema, "The Inside-Outside Recursive Neural Network Model for Dependency Parsing", EMNLP 2014, Section 3.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from selfsent.trees.arrays import TreeBatch

OutsideCell = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def outside(
    root: Float[Tensor, " D"],
    inside: Float[Tensor, "N D"],
    trees: TreeBatch,
    cell: nn.Module,
    noise: Float[Tensor, "N D"] | None = None,
) -> Float[Tensor, "N D"]:
    """Compute every node's outside embedding from its parent's and its sibling's inside one, root to leaves.

    Args:
        root: Outside embedding of every root.
        inside: Inside embeddings of all nodes.
        trees: The trees to follow.
        cell: Takes the outside of parents and the inside of left and right children, ``(P, D)`` each, and returns the
            outside of left and right children, ``(P, D)`` each.
        noise: Factors on each outside embedding (dropout), one row a node; those of roots are not used.

    Returns:
        Outside embeddings of all nodes. Gradients reach ``root``, ``inside`` and the cell's parameters.
    """
    with torch.autocast(inside.device.type, enabled=False):
        return _Outside.apply(root, inside, noise, trees, cell, *_trained(cell))  # pyright: ignore[reportReturnType] torch leaves it open


def _trained(cell: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in cell.parameters() if parameter.requires_grad]


class _Outside(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, root: Tensor, inside: Tensor, noise: Tensor | None, trees: TreeBatch, cell: OutsideCell, *_: Tensor
    ) -> Tensor:
        nodes = inside.new_zeros(inside.shape)
        nodes[trees.roots[trees.roots >= 0]] = root
        for level in reversed(trees.levels):
            sides = (level.left, level.right)
            for child, value in zip(sides, cell(nodes[level.parents], *(inside[side] for side in sides)), strict=True):
                nodes[child] = value if noise is None else value * noise[child]
        ctx.save_for_backward(nodes, inside, noise)
        ctx.trees, ctx.cell = trees, cell
        return nodes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride] its decorator hides the names
        nodes, inside, noise = ctx.saved_tensors
        gradient, of_inside = gradients[0].clone(), torch.zeros_like(inside)
        trained = _trained(ctx.cell)
        totals = [torch.zeros_like(parameter) for parameter in trained]
        for level in ctx.trees.levels:
            sides = (level.left, level.right)
            inputs = [nodes[level.parents], *(inside[side] for side in sides)]
            for value in inputs:
                value.requires_grad_()
            with torch.enable_grad():
                children = ctx.cell(*inputs)
            outer = [gradient[side] if noise is None else gradient[side] * noise[side] for side in sides]
            of_parents, left, right, *of_parameters = torch.autograd.grad(children, [*inputs, *trained], outer)
            gradient[level.parents] += of_parents
            of_inside[level.left], of_inside[level.right] = left, right  # a node is a child once
            for total, part in zip(totals, of_parameters, strict=True):
                total.add_(part)
        of_root = gradient[ctx.trees.roots[ctx.trees.roots >= 0]].sum(dim=0)
        return of_root, of_inside, None, None, None, *totals
