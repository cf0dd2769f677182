"""The compiled passes for diagonal cells at their edge; their values: ``tests/modules/test_cell_contract.py``."""

import numpy as np
import torch

from selfsent.kernels.diagonal_passes import diagonal_downward, diagonal_upward
from selfsent.trees.arrays import TreeBatch
from selfsent.trees.entangled import entangle


def test_a_graph_without_nodes_is_no_error():
    graph = entangle(TreeBatch.from_trees([]), np.zeros(0, np.int64))
    gates, nothing = torch.rand(2, 4), torch.zeros(0, 4)
    assert diagonal_upward(nothing, graph, gates, gates[0]).shape == (0, 4)
    assert diagonal_downward(nothing, graph, gates, gates).shape == (0, 4)
