"""The result of a pass up the trees of a batch: the trees and the embedding of every node."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from selfsent.trees.arrays import TreeBatch
from selfsent.trees.entangled import EntangledTrees
from selfsent.trees.tree import Tree


@dataclass(frozen=True)
class TreeStates:
    """The trees of a batch and the upward embedding of every node, ``(N, D)``; item ``i`` is sentence ``i`` alone."""

    trees: TreeBatch
    up: Float[Tensor, "N D"]

    def __len__(self) -> int:
        return len(self.trees)

    def __getitem__(self, index: int) -> tuple[Tree, Tensor]:
        index = range(len(self))[index]
        return self.trees[index], self.up[self.trees.offsets[index] : self.trees.offsets[index + 1]]


@dataclass(frozen=True)
class EntangledStates:
    """The entangled trees of a batch and the upward embedding of every node of their graph, ``(M, D)``."""

    graph: EntangledTrees
    up: Float[Tensor, "M D"]
