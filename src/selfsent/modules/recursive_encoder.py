"""The encoder of the recursive networks before StrAE: a tree encoder with another cell."""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from selfsent.errors import UserError
from selfsent.kernels.affine_passes import AffineMap
from selfsent.kernels.passes import upward
from selfsent.modules.frontier_merging import merge_most_similar
from selfsent.modules.inside_outside import InsideComposition, InsideLeaf, OutsideDecoder
from selfsent.modules.tree_encoder import EntangledStates, TreeEncoder, TreeStates
from selfsent.modules.tree_finder import Structure
from selfsent.modules.tree_lstm import TreeLSTMComposition, TreeLSTMDecoder, TreeLSTMLeaf
from selfsent.parsing.given_trees import Unparsed
from selfsent.trees.arrays import IntArray, TreeBatch
from selfsent.trees.split_depths import Binarisation

Network = Literal["tree-lstm", "iornn"]
"""A binary Tree-LSTM (Tai et al., 2015), or an inside-outside recursive network (Le & Zuidema, 2014)."""

RecursiveDecoder = TreeLSTMDecoder | OutsideDecoder


class RecursiveEncoder(TreeEncoder):
    """Embed the tokens of a sentence and compose them along a binary tree with the cell of a recursive network.

    A node's state is a row whose first D values are its embedding; the root's embedding is the sentence's. Trees are
    found as by `TreeEncoder`: an induced one merges the neighbours whose embeddings are most alike, compared without
    composition dropout.

    Source: Tai et al., ACL 2015 (arXiv 1503.00075), Section 3.2; Le & Zuidema, EMNLP 2014, Section 3.

    Args:
        tokenizer: Turns strings into token ids, without special tokens.
        network: Which cell composes.
        dimension: D, values of an embedding.
        structure: See `TreeEncoder`, as for all that follow.
        parses: The trees of a given structure.
        unparsed: What a text without a tree gets.
        binarisation: How constituents of several children are merged.
        leaf_dropout: Share of values dropped from token embeddings in training, in [0, 1).
        composition_dropout: Share of values dropped from each composed embedding in training, in [0, 1).
        init_range: r; the table starts uniform in [-r, r].
        max_seq_length: Tokens kept of a text; ``None`` keeps all.

    Raises:
        UserError: A setting is outside its range.
    """

    config_keys: list[str] = [  # noqa: RUF012 the host's own declaration
        "network",
        "dimension",
        "structure",
        "parses",
        "unparsed",
        "binarisation",
        "leaf_dropout",
        "composition_dropout",
        "init_range",
        "max_seq_length",
    ]

    def __init__(
        self,
        *,
        tokenizer: PreTrainedTokenizerBase,
        network: Network,
        dimension: int = 100,
        structure: Structure = "balanced",
        parses: str | None = None,
        unparsed: Unparsed = "stop",
        binarisation: Binarisation = "right",
        leaf_dropout: float = 0.2,
        composition_dropout: float = 0.1,
        init_range: float = 0.1,
        max_seq_length: int | None = None,
    ) -> None:
        self.check_size(network, dimension)
        super().__init__(
            tokenizer=tokenizer,
            channels=1,
            channel_size=dimension,
            structure=structure,
            parses=parses,
            unparsed=unparsed,
            binarisation=binarisation,
            leaf_dropout=leaf_dropout,
            composition_dropout=composition_dropout,
            init_range=init_range,
            max_seq_length=max_seq_length,
        )
        self.network: Network = network
        self.dimension = dimension
        leaf, composition = _new_cells(network, dimension)
        self.leaf = leaf
        self.composition = composition  # pyright: ignore[reportAttributeAccessIssue] the parent class names its own cells

    @staticmethod
    def check_size(network: str, dimension: int) -> None:
        """Refuse a network that is not known or an embedding without a value."""
        if network not in get_args(Network):
            raise UserError(f"network={network} is not known; it is one of {', '.join(get_args(Network))}")
        if dimension < 1:
            raise UserError(f"dimension={dimension} holds no embedding; give 1 or more, such as 100")

    def reset_parameters(self) -> None:
        """Start anew: the table uniform in [-r, r], the cells as PyTorch starts linear layers."""
        super().reset_parameters()
        if hasattr(self, "leaf"):  # not there yet when the parent class starts
            self.leaf.reset_parameters()

    def new_decoder(self, *, dropout: float) -> RecursiveDecoder:
        """Make the decoder of this network.

        Args:
            dropout: Share of values dropped from each downward embedding in training, in [0, 1).

        Raises:
            UserError: The dropout is outside its range.
        """
        if not 0 <= dropout < 1:
            raise UserError(
                f"decomposition_dropout={dropout} is no share of values to drop; give 0 or more, less than 1"
            )
        decoder = {"tree-lstm": TreeLSTMDecoder, "iornn": OutsideDecoder}[self.network]
        return decoder(self.dimension, dropout=dropout)

    def compose(
        self,
        leaves: Float[Tensor, "L D"],
        num_tokens: IntArray,
        seeds: Sequence[int] | None = None,
        split_depths: IntArray | None = None,
    ) -> TreeStates:
        """Find the trees over given token embeddings and compose them; see `TreeEncoder.compose`."""
        with torch.autocast(leaves.device.type, enabled=False):
            states = self.leaf(leaves)
        trees = self._trees(states, num_tokens, seeds or num_tokens.tolist(), split_depths)
        noise = self._composition_noise(leaves, len(trees.left))
        if noise is not None:  # what a state holds beside its embedding loses nothing
            noise = torch.cat([noise, noise.new_ones(len(noise), states.shape[1] - self.dimension)], dim=1)
        return TreeStates(trees, upward(states, trees, self.composition, noise)[:, : self.dimension])

    def _trees(
        self, states: Float[Tensor, "L S"], num_tokens: IntArray, seeds: Sequence[int], split_depths: IntArray | None
    ) -> TreeBatch:
        if self.structure == "induced":
            return merge_most_similar(states, num_tokens, self.composition, dimension=self.dimension)
        unused = AffineMap(states[:0], states[:0])  # only an induced structure reads the composition
        trees, _ = self._finder().find(states, num_tokens, unused, noise=None, seeds=seeds, split_depths=split_depths)
        return trees

    def compose_entangled(self, *_: object, **__: object) -> EntangledStates:
        """Refuse: entangled trees are Banyan's.

        Raises:
            UserError: Always.
        """
        raise UserError(f"entangled trees need a TreeEncoder; this is a {self.network}")


def _new_cells(
    network: Network, dimension: int
) -> tuple[TreeLSTMLeaf | InsideLeaf, TreeLSTMComposition | InsideComposition]:
    if network == "tree-lstm":
        return TreeLSTMLeaf(dimension), TreeLSTMComposition(dimension)
    return InsideLeaf(), InsideComposition(dimension)


# Saved models name this path for ever (docs/decisions.md), wherever the file moves.
RecursiveEncoder.__module__ = "selfsent.modules"
