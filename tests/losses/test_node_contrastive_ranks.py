"""Node contrast on two ranks: their averaged gradients are those of one process with the nodes of both."""

import os
import socket
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, multiprocessing

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


def rank_gradients(rank: int, port: int, folder: str) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=2)
    of_rank = (0, 1) if rank == 0 else (1, 3)
    trained = weights()
    NodeContrast()(states(*of_rank, trained)).backward()
    with torch.no_grad():
        watched = NodeContrast()(states(*of_rank, trained))
    torch.save([trained.grad, watched], Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_ranks_contrast_all_nodes_in_training_and_their_own_when_only_watched(tmp_path: Path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    multiprocessing.spawn(rank_gradients, (port, str(tmp_path)), nprocs=2)
    ranks = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    trained = weights()
    NodeContrast()(states(0, 3, trained)).backward()
    torch.testing.assert_close((ranks[0][0] + ranks[1][0]) / 2, trained.grad)
    for (_, watched), (first, end) in zip(ranks, [(0, 1), (1, 3)], strict=True):
        torch.testing.assert_close(watched, NodeContrast()(states(first, end, trained)).detach())
