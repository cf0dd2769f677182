"""The equations of the cells for one node, as the papers have them: vectors, not batches."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Formula = Callable[..., Tensor]
CHANNEL = 20
"""Values of a channel."""


def per_channel(formula: Formula, cell: Any, *sides: Tensor) -> Tensor:
    """Apply equations to each channel of vectors; the results stand one behind another."""
    channels = zip(*(side.split(CHANNEL) for side in sides), strict=True)
    return torch.cat([formula(cell, *channel) for channel in channels], dim=-1)


def affine_parent(cell: Any, left: Tensor, right: Tensor) -> Tensor:
    return cell.linear.weight @ torch.cat([left, right]) + cell.linear.bias


def affine_children(cell: Any, parent: Tensor) -> Tensor:
    return (cell.linear.weight @ parent + cell.linear.bias).view(2, -1)


def diagonal_parent(cell: Any, left: Tensor, right: Tensor) -> Tensor:
    return left * torch.sigmoid(cell.gates[0]) + right * torch.sigmoid(cell.gates[1]) + cell.bias


def diagonal_children(cell: Any, parent: Tensor) -> Tensor:
    return torch.stack([parent * torch.sigmoid(cell.gates[side]) + cell.biases[side] for side in (0, 1)])


def gates(linear: Any, inputs: Tensor, size: int) -> tuple[Tensor, ...]:
    """The gates of a layer, before their squashing."""
    rows = [slice(start, start + size) for start in range(0, len(linear.bias), size)]
    return tuple(linear.weight[part] @ inputs + linear.bias[part] for part in rows)


def lstm_parent(cell: Any, left: Tensor, right: Tensor) -> Tensor:
    (h1, c1), (h2, c2) = left.chunk(2), right.chunk(2)
    f1, f2, i, o, u = gates(cell.linear, torch.cat([h1, h2]), len(h1))
    c = torch.sigmoid(i) * torch.tanh(u) + torch.sigmoid(f1) * c1 + torch.sigmoid(f2) * c2
    return torch.cat([torch.sigmoid(o) * torch.tanh(c), c])


def lstm_children(cell: Any, parent: Tensor) -> Tensor:
    h, c = parent.chunk(2)
    every = gates(cell.linear, h, len(h))
    children = []
    for f, i, o, u in (every[:4], every[4:]):
        memory = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(u)
        children.append(torch.cat([torch.sigmoid(o) * torch.tanh(memory), memory]))
    return torch.stack(children)


def lstm_leaf(cell: Any, token: Tensor) -> Tensor:
    i, o, u = gates(cell.linear, token, len(token))
    c = torch.sigmoid(i) * torch.tanh(u)
    return torch.cat([torch.sigmoid(o) * torch.tanh(c), c])


def inside_parent(cell: Any, left: Tensor, right: Tensor) -> Tensor:
    return torch.tanh(cell.linear.weight @ torch.cat([left, right]) + cell.linear.bias)


def outside_children(cell: Any, parent: Tensor, left: Tensor, right: Tensor) -> Tensor:
    sides = ((cell.left, right), (cell.right, left))
    return torch.stack([torch.tanh(one.weight @ torch.cat([parent, sibling]) + one.bias) for one, sibling in sides])
