"""The options of the encoders that compose a sentence along a tree, and of the decoders that go down the tree."""

from dataclasses import dataclass
from typing import Literal

from selfsent.modules.composition import Cell, CellInit
from selfsent.modules.neighbour_context import Context
from selfsent.modules.tree_finder import SearchOptions, Structure
from selfsent.options import Options, option
from selfsent.parsing.given_trees import Unparsed
from selfsent.trees.split_depths import Binarisation

UnparsedInTraining = Literal["stop", "skip", "balanced", "right", "left", "random"]
"""As `selfsent.parsing.given_trees.Unparsed`; a training may also leave the text out."""

Roots = Literal["shared", "separate"]
"""Whether the upward and the downward embedding of a root are one vector or two."""

Network = Literal["tree-lstm", "iornn"]
"""A binary Tree-LSTM (Tai et al., 2015), or an inside-outside recursive network (Le & Zuidema, 2014)."""


@dataclass(frozen=True, kw_only=True)
class TreeOptions(Options):
    """Options of every encoder that composes along a tree; the defaults are those of StrAE's papers and released code.

    Args:
        structure: ``induced`` finds the tree by similarities (Self-StrAE); ``given`` takes it from
            ``parses``; ``attention`` merges neighbours between which the transformer that ``--base`` names attends
            most; the others build a tree that does not read the words.
        parses: Where the structure is given: a file that ``selfsent parse`` wrote, or a folder of them. A text may also
            be written as a bracketed tree, and a text of one word needs none. In training the default is the source
            itself, where it is such a file.
        unparsed: A text without a tree: ``stop``, ``skip`` it (in training only), or give it a structure that reads no
            words.
        binarisation: Whether given constituents of several children are merged from the ``right`` or the ``left``.
        leaf_dropout: Share of values dropped from leaf embeddings in training (released code: 0.2).
        composition_dropout: Share of values dropped from each composed embedding in training (released code: 0.1).
        init_range: r; the embedding table starts uniform in [-r, r] (released code: 0.1).
    """

    structure: Structure = "induced"
    parses: str | None = None
    unparsed: UnparsedInTraining = "stop"
    binarisation: Binarisation = "right"
    leaf_dropout: float = option(0.2, at_least=0, below=1)
    composition_dropout: float = option(0.1, at_least=0, below=1)
    init_range: float = option(0.1, above=0)


@dataclass(frozen=True, kw_only=True)
class ChannelTreeOptions(SearchOptions, TreeOptions):
    """Options of an encoder whose embeddings are channels, composed by one small cell; see `TreeOptions`.

    Args:
        channels: K, channels of an embedding (EMNLP 2023: 10).
        channel_size: U, values a channel; an embedding has ``K * U`` values (EMNLP 2023: 10).
        cell: ``affine`` (StrAE; ``4U^2 + 3U`` weights with decomposition) or ``diagonal`` (Banyan; ``7U``).
        context: ``none`` (papers), or ``neighbours``: their mean is added to each leaf before composition.
        frequency_weight: a; where above 0 the leaf of a token of share p of the corpus is weighed by ``a / (a + p)``;
            not in the papers, much better on STS-B dev; 0.001 is usual.
        composition_init: How cells start: ``uniform`` (released code), or at the ``sum`` of the children and copies of
            the parent, which is not in the papers and much better on STS-B dev.
    """

    channels: int = option(10, at_least=1)
    channel_size: int = option(10, at_least=1)
    cell: Cell = "affine"
    context: Context = "none"
    frequency_weight: float = option(0.0, at_least=0)
    composition_init: CellInit = "uniform"


@dataclass(frozen=True, kw_only=True)
class TreeEncoderOptions(ChannelTreeOptions):
    """Options of `selfsent.modules.TreeEncoder`: the keys of its ``config.json``.

    Args:
        unparsed: What a text without a tree gets: an error (``stop``), or a tree that reads no words.
        max_seq_length: Tokens kept of a text; ``None`` keeps all.
    """

    unparsed: Unparsed = "stop"
    max_seq_length: int | None = option(None, at_least=1)


@dataclass(frozen=True, kw_only=True)
class RecursiveEncoderOptions(TreeOptions):
    """Options of `selfsent.modules.RecursiveEncoder`: the keys of its ``config.json``.

    Args:
        network: Which cell composes: ``tree-lstm`` or ``iornn``.
        dimension: D, values of an embedding.
        unparsed: What a text without a tree gets: an error (``stop``), or a tree that reads no words.
        max_seq_length: Tokens kept of a text; ``None`` keeps all.
    """

    network: Network
    dimension: int = option(100, at_least=1)
    structure: Structure = "balanced"
    unparsed: Unparsed = "stop"
    max_seq_length: int | None = option(None, at_least=1)


@dataclass(frozen=True, kw_only=True)
class DecoderOptions(Options):
    """Options of a decoder; it belongs to the loss.

    Args:
        decomposition_dropout: Share of values dropped from each downward embedding in training (released code: 0.1).
    """

    decomposition_dropout: float = option(0.1, at_least=0, below=1)


@dataclass(frozen=True, kw_only=True)
class RootOptions(Options):
    """Where the way down a tree begins.

    Args:
        roots: ``shared``: the downward embedding of a root is its upward one (paper); ``separate``: it is a learned
            linear map of it, the same for every channel, so that contrasting the two sides of a root is no gift.
    """

    roots: Roots = "shared"
