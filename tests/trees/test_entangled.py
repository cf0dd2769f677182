"""Entangled trees: which nodes are one, and what passes over them compute."""

import numpy as np
import pytest
import torch

from selfsent.kernels.passes import upward
from selfsent.modules.composition import DiagonalComposition, DiagonalDecomposition
from selfsent.trees.arrays import TreeBatch
from selfsent.trees.builders import FIXED_BUILDERS, random_tree
from selfsent.trees.entangled import EntangledTrees, entangle


def random_batch(*, num_sentences: int, vocabulary: int, seed: int) -> tuple[TreeBatch, np.ndarray]:
    generator = np.random.default_rng(seed)
    lengths = generator.integers(0, 9, size=num_sentences)
    trees = TreeBatch.from_trees([random_tree(int(n), generator) for n in lengths])
    return trees, generator.integers(5, 5 + vocabulary, size=int(lengths.sum()))


def balanced(*sentences: list[int]) -> EntangledTrees:
    trees = TreeBatch.from_trees([FIXED_BUILDERS["balanced"](len(tokens)) for tokens in sentences])
    return entangle(trees, np.concatenate([np.array(tokens) for tokens in sentences]))


@pytest.mark.parametrize("seed", range(5))
def test_a_node_is_its_token_or_the_pair_of_its_children(seed: int):
    trees, tokens = random_batch(num_sentences=60, vocabulary=4, seed=seed)
    graph = entangle(trees, tokens)
    names: dict[int, object] = dict(zip(trees.leaf_nodes.tolist(), tokens.tolist(), strict=True))
    for parent, left, right in zip(trees.merge_nodes.tolist(), trees.left, trees.right, strict=True):
        names[parent] = (names[int(left)], names[int(right)])
    assert len(set(names.values())) == graph.num_nodes < trees.num_nodes
    by_node: dict[int, object] = {}
    for node, name in names.items():
        assert by_node.setdefault(int(graph.node_of[node]), name) == name
    merges = zip(graph.left.tolist(), graph.right.tolist(), strict=True)
    for number, (left, right) in enumerate(merges):
        assert by_node[len(graph.token_ids) + number] == (by_node[left], by_node[right])
        assert max(left, right) < len(graph.token_ids) + number, "children stand before their parents"


def test_order_counts_and_a_sentence_within_another_is_no_top():
    graph = balanced([7, 8, 8, 7], [7, 8], [8, 7])
    assert graph.token_ids.tolist() == [7, 8]
    assert list(zip(graph.left.tolist(), graph.right.tolist(), strict=True)) == [(0, 1), (1, 0), (2, 3)]
    assert graph.num_parents.tolist() == [2, 2, 1, 1, 0]
    assert graph.tops.tolist() == [4]


def test_no_sentences_and_sentences_of_one_word_are_graphs():
    assert entangle(TreeBatch.from_trees([]), np.zeros(0, np.int64)).num_nodes == 0
    graph = balanced([5], [5], [6])
    assert graph.num_nodes == 2
    assert graph.tops.tolist() == [0, 1]
    assert not graph.levels


def test_shared_nodes_have_the_embedding_they_have_in_each_tree():
    trees, tokens = random_batch(num_sentences=40, vocabulary=5, seed=1)
    graph = entangle(trees, tokens)
    table, composition = torch.randn(100, 8), DiagonalComposition(2)
    alone = upward(table[tokens], trees, composition)
    shared = upward(table[graph.token_ids], graph, composition)
    torch.testing.assert_close(shared[graph.node_of], alone)


def test_the_diagonal_cell_is_an_affine_map_and_has_seven_weights_a_value():
    torch.manual_seed(0)
    composition, decomposition = DiagonalComposition(2), DiagonalDecomposition(2)
    assert sum(p.numel() for cell in (composition, decomposition) for p in cell.parameters()) == 14
    left, right = torch.randn(2, 5, 8)
    channels = torch.cat([side.unflatten(1, (-1, 2)) for side in (left, right)], dim=2)
    linear = composition.linear
    torch.testing.assert_close(composition(left, right), (channels @ linear.weight.T + linear.bias).flatten(1))
    gates = torch.cat([composition.gates, decomposition.gates])
    assert gates.min() >= 0.6
    assert gates.max() <= 0.9
