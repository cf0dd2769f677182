"""The choice of a tree encoder: which tree stands over the tokens of a sentence."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor, nn

from selfsent.errors import UserError
from selfsent.kernels.affine_passes import AffineMap
from selfsent.kernels.beam_induction import induce_by_beam
from selfsent.kernels.chart_induction import induce_by_chart
from selfsent.kernels.induction import induce
from selfsent.trees.arrays import IntArray, Tree, TreeBatch
from selfsent.trees.builders import FIXED_BUILDERS, random_tree
from selfsent.trees.split_depths import Binarisation, trees_of_depths

Structure = Literal["induced", "balanced", "right", "left", "random", "given"]
STRUCTURES: tuple[Structure, ...] = get_args(Structure)
Inducer = Literal["greedy", "beam", "chart"]
"""How an induced structure is searched: the most similar pair at every step, or the best total similarity that a beam
or a chart finds. The last two cost several times as much (docs/trees.md)."""


@dataclass(frozen=True, kw_only=True)
class TreeFinder:
    """Find the trees of a batch.

    Args:
        structure: ``induced`` from the embeddings, one that does not read them, or ``given`` with the sentences.
        inducer: How an induced structure is searched.
        beam_size: States that the beam keeps, or trees that the chart keeps of every span.
        binarisation: How a given constituent of several children is merged.
    """

    structure: Structure
    inducer: Inducer = "greedy"
    beam_size: int = 4
    binarisation: Binarisation = "right"

    def problems(self) -> list[str]:
        """Say which settings are outside their range."""
        choices = {"structure": Structure, "inducer": Inducer, "binarisation": Binarisation}
        problems = [
            f"{name}={getattr(self, name)} (needs one of {', '.join(get_args(known))})"
            for name, known in choices.items()
            if getattr(self, name) not in get_args(known)
        ]
        return problems if self.beam_size >= 1 else [*problems, f"beam_size={self.beam_size} (needs 1 or more)"]

    def find(
        self,
        leaves: Float[Tensor, "L D"],
        num_tokens: IntArray,
        linear: nn.Linear | AffineMap,
        *,
        noise: Float[Tensor, "I D"] | None,
        seeds: Sequence[int],
        split_depths: IntArray | None,
    ) -> tuple[TreeBatch, Float[Tensor, "N D"] | None]:
        """Find the trees over leaf embeddings.

        Args:
            leaves: Leaf embeddings, all sentences one after another.
            num_tokens: Leaves of each sentence, ``(B,)``.
            linear: The affine composition.
            noise: Factors on composed embeddings; the greedy inducer compares embeddings with them, the others without.
            seeds: What draws each sentence's tree where the structure is ``random``.
            split_depths: The given trees, all sentences one after another.

        Returns:
            The trees; and the upward embeddings, where finding the trees has computed them.
        """
        if self.structure == "given":
            if split_depths is None:
                raise UserError(
                    "the structure is given, but no trees came with the sentences; they come through the model's"
                    " preprocess"
                )
            return trees_of_depths(split_depths, num_tokens, self.binarisation), None
        if self.structure != "induced":
            trees = [self._fixed_tree(int(n), seed) for n, seed in zip(num_tokens, seeds, strict=True)]
            return TreeBatch.from_trees(trees), None
        if self.inducer == "greedy":
            return induce(leaves, num_tokens, linear.weight, linear.bias, noise)
        search = induce_by_beam if self.inducer == "beam" else induce_by_chart
        return search(leaves, num_tokens, linear.weight, linear.bias, beam_size=self.beam_size), None

    def _fixed_tree(self, num_tokens: int, seed: int) -> Tree:
        if self.structure == "random":
            return random_tree(num_tokens, np.random.default_rng(seed))
        return FIXED_BUILDERS[self.structure](num_tokens)


def content_seeds(token_ids: Int[Tensor, "B T"], num_tokens: IntArray) -> list[int]:
    """A seed of each sentence's own tokens, so that a random tree does not depend on batch mates or order."""
    rows = token_ids.cpu().numpy()
    return [zlib.crc32(row[:n].tobytes()) for row, n in zip(rows, num_tokens, strict=True)]
