"""Node contrast on two ranks: their averaged gradients are those of one process with the nodes of both."""

import torch
from tests.processes import on_two_ranks
from torch import Tensor

from selfsent.losses.node_contrastive import NodeContrast
from selfsent.losses.tree_pass import NodeStates
from selfsent.trees.arrays import TreeBatch
from selfsent.trees.builders import balanced

LENGTHS = [4, 1, 6]


def states(first: int, end: int, weights: Tensor) -> NodeStates:
    """Nodes of some of the sentences; the weights stand for a model."""
    generator = torch.Generator().manual_seed(0)
    sizes = [2 * length - 1 for length in LENGTHS]
    rows = torch.randn(sum(sizes), 2, 5, generator=generator).split(sizes)[first:end]
    up, down = torch.cat(rows).unbind(1)
    trees = TreeBatch.from_trees([balanced(length) for length in LENGTHS[first:end]])
    is_leaf = torch.zeros(len(up), dtype=torch.bool)
    is_leaf[trees.leaf_nodes] = True
    return NodeStates(up @ weights, down @ weights, is_leaf, torch.zeros(int(is_leaf.sum()), dtype=torch.int64), trees)


def weights() -> Tensor:
    return torch.randn(5, 5, generator=torch.Generator().manual_seed(1), requires_grad=True)


def gradient_and_watched(rank: int) -> list[Tensor]:
    of_rank = (0, 1) if rank == 0 else (1, 3)
    trained = weights()
    NodeContrast()(states(*of_rank, trained)).backward()
    with torch.no_grad():
        watched = NodeContrast()(states(*of_rank, trained))
    return [trained.grad, watched]


def test_two_ranks_contrast_all_nodes_in_training_and_their_own_when_only_watched():
    ranks = on_two_ranks(gradient_and_watched)
    trained = weights()
    NodeContrast()(states(0, 3, trained)).backward()
    torch.testing.assert_close((ranks[0][0] + ranks[1][0]) / 2, trained.grad)
    for (_, watched), (first, end) in zip(ranks, [(0, 1), (1, 3)], strict=True):
        torch.testing.assert_close(watched, NodeContrast()(states(first, end, trained)).detach())
