"""The compiled passes for diagonal cells against the plain ones: values, gradients, noise, threads."""

import numpy as np
import pytest
import torch
from torch import Tensor

from selfsent.kernels.diagonal_passes import diagonal_downward, diagonal_upward
from selfsent.kernels.entangled_passes import entangled_downward
from selfsent.kernels.passes import upward
from selfsent.modules.composition import DiagonalComposition, DiagonalDecomposition
from selfsent.trees.arrays import TreeBatch
from selfsent.trees.builders import random_tree
from selfsent.trees.entangled import EntangledTrees, entangle

CHANNELS = 20  # 40 values: a whole block and a part of one


def graph_of(*, num_sentences: int, seed: int) -> EntangledTrees:
    generator = np.random.default_rng(seed)
    lengths = generator.integers(0, 12, size=num_sentences)
    trees = TreeBatch.from_trees([random_tree(int(n), generator) for n in lengths])
    return entangle(trees, generator.integers(0, 6, size=int(lengths.sum())))


def gradients(output: Tensor, inputs: list[Tensor], outer: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(output, inputs, outer)


@pytest.mark.parametrize("has_noise", [False, True])
@pytest.mark.parametrize("num_sentences", [1, 30])
def test_upward_equals_the_plain_pass(num_sentences: int, has_noise: bool):
    torch.manual_seed(0)
    graph = graph_of(num_sentences=num_sentences, seed=num_sentences)
    cell = DiagonalComposition(2)
    torch.nn.init.normal_(cell.bias)
    leaves = torch.randn(len(graph.token_ids), 2 * CHANNELS, requires_grad=True)
    noise = torch.rand(len(graph.left), 2 * CHANNELS) if has_noise else None
    found = diagonal_upward(leaves, graph, cell.gates.sigmoid().repeat(1, CHANNELS), cell.bias.repeat(CHANNELS), noise)
    expected = upward(leaves, graph, cell, noise)
    torch.testing.assert_close(found, expected)
    outer, inputs = torch.randn_like(found), [leaves, *cell.parameters()]
    torch.testing.assert_close(
        gradients(found, inputs, outer), gradients(expected, inputs, outer), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("has_noise", [False, True])
@pytest.mark.parametrize("num_sentences", [1, 30])
def test_downward_equals_the_plain_pass(num_sentences: int, has_noise: bool):
    torch.manual_seed(0)
    graph = graph_of(num_sentences=num_sentences, seed=num_sentences)
    cell = DiagonalDecomposition(2)
    torch.nn.init.normal_(cell.biases)
    tops = torch.randn(len(graph.tops), 2 * CHANNELS, requires_grad=True)
    noise = torch.rand(2, len(graph.left), 2 * CHANNELS) if has_noise else None
    weights = [weight.repeat(1, CHANNELS) for weight in (cell.gates.sigmoid(), cell.biases)]
    found = diagonal_downward(tops, graph, *weights, noise)
    expected = entangled_downward(tops, graph, cell, noise)
    torch.testing.assert_close(found, expected)
    outer, inputs = torch.randn_like(found), [tops, *cell.parameters()]
    torch.testing.assert_close(
        gradients(found, inputs, outer), gradients(expected, inputs, outer), rtol=1e-4, atol=1e-4
    )


def test_a_graph_without_nodes_is_no_error():
    graph = entangle(TreeBatch.from_trees([]), np.zeros(0, np.int64))
    gates, nothing = torch.rand(2, 4), torch.zeros(0, 4)
    assert diagonal_upward(nothing, graph, gates, gates[0]).shape == (0, 4)
    assert diagonal_downward(nothing, graph, gates, gates).shape == (0, 4)
