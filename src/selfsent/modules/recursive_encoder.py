"""The encoder of the recursive networks before StrAE: a composing encoder with their cells."""

from dataclasses import dataclass

from torch import nn
from transformers import PreTrainedTokenizerBase

from selfsent.errors import UserError
from selfsent.modules.composition import PlainLeaf
from selfsent.modules.inside_outside import InsideComposition, OutsideDecoder
from selfsent.modules.tree_encoder import ComposingEncoder
from selfsent.modules.tree_finder import SearchOptions
from selfsent.modules.tree_lstm import TreeLSTMComposition, TreeLSTMDecoder, TreeLSTMLeaf
from selfsent.modules.tree_options import Network, RecursiveEncoderOptions, Roots
from selfsent.options import names_of, takes_only

__all__ = ["Network", "RecursiveDecoder", "RecursiveEncoder"]

RecursiveDecoder = TreeLSTMDecoder | OutsideDecoder


@dataclass(frozen=True, kw_only=True)
class _Arguments(RecursiveEncoderOptions):
    """What a `RecursiveEncoder` is made of."""

    tokenizer: PreTrainedTokenizerBase


class RecursiveEncoder(ComposingEncoder):
    """Compose a sentence along a binary tree with the cell of a recursive network, which reads whole embeddings.

    An induced tree merges the neighbours whose embeddings are most alike, compared without composition dropout.

    Source: Tai et al., ACL 2015 (arXiv 1503.00075), Section 3.2; Le & Zuidema, EMNLP 2014, Section 3.

    Args:
        tokenizer: Turns strings into token ids, without special tokens.
        options: Options by keyword; see `selfsent.modules.tree_options.RecursiveEncoderOptions`.

    Raises:
        UserError: An option is unknown or outside its range.
    """

    options: RecursiveEncoderOptions
    config_keys: list[str] = names_of(RecursiveEncoderOptions)

    @takes_only(_Arguments)
    def __init__(self, arguments: _Arguments) -> None:
        options = arguments.part(RecursiveEncoderOptions)
        is_lstm, dimension = options.network == "tree-lstm", options.dimension
        super().__init__(
            arguments.tokenizer,
            options,
            embedding=nn.Embedding(len(arguments.tokenizer), dimension),
            leaf=TreeLSTMLeaf(dimension) if is_lstm else PlainLeaf(),
            composition=TreeLSTMComposition(dimension) if is_lstm else InsideComposition(dimension),
            search=SearchOptions(),
        )

    def new_decoder(self, *, dropout: float, roots: Roots = "shared") -> RecursiveDecoder:
        """Make the decoder of this network.

        Args:
            dropout: Share of values dropped from each downward embedding in training, in [0, 1).
            roots: Whether a root's downward embedding is its upward one; it always is here.

        Raises:
            UserError: The dropout is outside its range, or roots were to be separate.
        """
        if roots != "shared":
            raise UserError(f"roots={roots} must be shared for a {self.options.network}; take a TreeEncoder")
        if not 0 <= dropout < 1:
            raise UserError(f"decomposition_dropout={dropout} must be 0 or more and below 1")
        decoder = TreeLSTMDecoder if self.options.network == "tree-lstm" else OutsideDecoder
        return decoder(self.options.dimension, dropout=dropout)


# Saved models name this path (docs/decisions.md), wherever the file moves.
RecursiveEncoder.__module__ = "selfsent.modules"
