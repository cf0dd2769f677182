"""Trees of sentences: those that do not read embeddings, and the options of the search for others."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Int
from torch import Tensor

from selfsent.errors import UserError
from selfsent.options import Options, option
from selfsent.trees.arrays import IntArray, TreeBatch
from selfsent.trees.builders import FIXED_BUILDERS, random_tree
from selfsent.trees.split_depths import Binarisation, trees_of_depths
from selfsent.trees.tree import Tree

Structure = Literal["induced", "balanced", "right", "left", "random", "given", "attention"]
STRUCTURES: tuple[Structure, ...] = get_args(Structure)
READ_FROM_TEXT = ("given", "attention")
"""Structures that come with a text: its parse, or what a transformer's attention makes of it."""
Inducer = Literal["greedy", "beam", "chart"]
"""How an induced structure is searched: the most similar pair at every step, or the best total similarity that a beam
or a chart finds. The last two cost several times as much (docs/trees.md)."""


@dataclass(frozen=True, kw_only=True)
class SearchOptions(Options):
    """How an induced structure is searched.

    Args:
        inducer: How an induced structure is searched: ``greedy`` (papers), ``beam`` or ``chart``.
        beam_size: States the beam keeps, or trees the chart keeps of a span.
    """

    inducer: Inducer = "greedy"
    beam_size: int = option(4, at_least=1)


def stated_trees(
    structure: Structure,
    num_tokens: IntArray,
    *,
    binarisation: Binarisation,
    seeds: Sequence[int],
    split_depths: IntArray | None,
) -> TreeBatch:
    """Build the trees of a batch without looking at the embeddings.

    Args:
        structure: Any but ``induced``.
        num_tokens: Leaves of each sentence, ``(B,)``.
        binarisation: How a given constituent of several children is merged.
        seeds: Random seed of each sentence's tree where the structure is ``random``.
        split_depths: The trees that came with the texts, all sentences one after another.

    Raises:
        UserError: The structure is one that comes with the texts, and no trees came with the sentences.
    """
    if structure in READ_FROM_TEXT:
        if split_depths is None:
            raise UserError(
                f"the structure is {structure}, but no trees came with the sentences; they come through the model's"
                " preprocess"
            )
        return trees_of_depths(split_depths, num_tokens, binarisation)
    return TreeBatch.from_trees(
        [_fixed_tree(structure, int(n), seed) for n, seed in zip(num_tokens, seeds, strict=True)]
    )


def _fixed_tree(structure: Structure, num_tokens: int, seed: int) -> Tree:
    if structure == "random":
        return random_tree(num_tokens, np.random.default_rng(seed))
    return FIXED_BUILDERS[structure](num_tokens)


def content_seeds(token_ids: Int[Tensor, "B T"], num_tokens: IntArray) -> list[int]:
    """A seed of each sentence's own tokens, so that a random tree does not depend on batch mates or order."""
    rows = token_ids.cpu().numpy()
    return [zlib.crc32(row[:n].tobytes()) for row, n in zip(rows, num_tokens, strict=True)]
