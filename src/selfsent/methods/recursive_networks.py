"""Tree-LSTM and IORNN: the recursive networks that StrAE is compared with, from scratch on the same raw text.

Tai, Socher & Manning, "Improved Semantic Representations From Tree-Structured Long Short-Term Memory Networks", ACL
2015 (arXiv 1503.00075); Le & Zuidema, "The Inside-Outside Recursive Neural Network Model for Dependency Parsing", EMNLP
2014; as baselines in Opper et al., EMNLP 2023 (arXiv 2305.05588).

==========================================  ================================  ==========================================
of the papers                               object                            file
==========================================  ================================  ==========================================
binary Tree-LSTM (Tai et al., Section 3.2)  ``TreeLSTMComposition``           ``modules/tree_lstm.py``
its decoder                                 ``TreeLSTMDecoder``               ``modules/tree_lstm.py``
inside pass (Le & Zuidema, Section 3)       ``InsideComposition``             ``modules/inside_outside.py``
outside pass (Le & Zuidema, Section 3)      ``OutsideDecoder``                ``modules/inside_outside.py``
the same, differentiable                    ``outside``                       ``kernels/outside_pass.py``
a word given its outside                    ``RecursiveNetworkLoss``          ``losses/recursive_network.py``
structure induced with such cells           ``merge_most_similar``            ``modules/frontier_merging.py``
==========================================  ================================  ==========================================

Both take every structure, objective and budget of ``strae``, with one embedding of 100 values in place of its ten
channels of ten: the cells see all of it at once and have some hundred thousand weights where StrAE has 430.

Where we differ:

* Neither paper trains on raw text alone as StrAE's does; how StrAE's authors set up these baselines is not known to us.
  Objectives, tokenizer, dropout and training arguments are those of ``strae``.
* Tree-LSTM has no decoder of its own: it gets one with the same gates, started from the root's embedding alone, so that
  a sentence's embedding is the bottleneck, as in StrAE.
* IORNN recovers a word from its outside embedding by cross-entropy over the vocabulary, with the embedding table as
  output weights; Le & Zuidema rank it above a drawn word by a margin. Its outside embedding of a node knows nothing of
  what is under the node, so there is no bottleneck; the roots, which all have the same, are not contrasted.
"""

from dataclasses import dataclass, fields
from functools import partial
from typing import Any

from sentence_transformers import SentenceTransformer
from torch import nn
from transformers import PreTrainedTokenizerBase

from selfsent.losses import RecursiveNetworkLoss
from selfsent.losses.node_contrastive import RELEASED_TEMPERATURE
from selfsent.losses.recursive_network import Objective
from selfsent.methods.method import Assembly, Ingredients, Method
from selfsent.methods.tree_model import TreeModelConfig, Unparsed, assemble_tree_model, released_training
from selfsent.modules import RecursiveEncoder
from selfsent.modules.recursive_encoder import Network
from selfsent.modules.tree_finder import Structure
from selfsent.parsing.given_trees import GivenTrees
from selfsent.trees.split_depths import Binarisation


@dataclass(frozen=True, kw_only=True)
class RecursiveNetworkConfig:
    """Options of ``tree-lstm`` and ``iornn``; all but the first are those of ``strae``, with its defaults.

    Args:
        dimension: Values of an embedding (StrAE: 100).
        structure: ``induced``, ``given`` with the sentences, or one that does not read them.
        parses: A file that ``selfsent parse`` wrote, or a folder of them, where the structure is given.
        unparsed: A text without a tree: ``stop``, ``skip`` it in training, or give it a structure that reads no words.
        binarisation: Whether given constituents of several children are merged from the ``right`` or the ``left``.
        objective: ``contrastive`` over all nodes, ``cross-entropy`` of the leaf tokens, or half of each over internal
            nodes and leaves.
        temperature: Divides cosines in the contrastive objective.
        tied: Whether reconstruction's output weights are the embedding table.
        leaf_dropout: Share of values dropped from leaf embeddings.
        composition_dropout: The same for composed embeddings.
        decomposition_dropout: The same for downward (outside) embeddings.
        init_range: The table starts uniform in [-r, r].
        tokenizer: Path of a ready tokenizer; ``none`` trains one on the corpus.
        vocab_size: Pieces of a trained tokenizer, at most.
        lowercase: Whether a trained tokenizer lower-cases.
        min_tokens: Shorter texts are not trained on.
        max_tokens: Longer texts are not trained on.
    """

    dimension: int = 100
    structure: Structure = "balanced"
    parses: str | None = None
    unparsed: Unparsed = "stop"
    binarisation: Binarisation = "right"
    objective: Objective = "contrastive"
    temperature: float = RELEASED_TEMPERATURE
    tied: bool = True
    leaf_dropout: float = 0.2
    composition_dropout: float = 0.1
    decomposition_dropout: float = 0.1
    init_range: float = 0.1
    tokenizer: str | None = None
    vocab_size: int = 25_000
    lowercase: bool = True
    min_tokens: int = 4
    max_tokens: int = 200

    def as_tree_model(self) -> TreeModelConfig:
        """Give the options that every tree model has, with one channel of all values."""
        shared = {field.name for field in fields(TreeModelConfig)} & {field.name for field in fields(self)}
        return TreeModelConfig(
            channels=1, channel_size=self.dimension, **{name: getattr(self, name) for name in shared}
        )


def training(config: RecursiveNetworkConfig) -> dict[str, Any]:
    """The training arguments of ``strae``."""
    return released_training(is_contrastive=config.objective == "contrastive")


def build(network: Network, config: RecursiveNetworkConfig, assembly: Assembly) -> Ingredients:
    """Put model and loss together; see `assemble_tree_model`."""
    RecursiveEncoder.check_size(network, config.dimension)

    def make_encoder(
        _: TreeModelConfig, tokenizer: PreTrainedTokenizerBase, given: GivenTrees | None
    ) -> RecursiveEncoder:
        return RecursiveEncoder(
            tokenizer=tokenizer,
            network=network,
            dimension=config.dimension,
            structure=config.structure,
            parses=given.parses if given else None,
            unparsed="stop" if config.unparsed == "skip" else config.unparsed,
            binarisation=config.binarisation,
            leaf_dropout=config.leaf_dropout,
            composition_dropout=config.composition_dropout,
            init_range=config.init_range,
        )

    def make_loss(model: SentenceTransformer) -> nn.Module:
        return RecursiveNetworkLoss(
            model,
            objective=config.objective,
            temperature=config.temperature,
            tied=config.tied,
            dropout=config.decomposition_dropout,
        )

    return assemble_tree_model(config.as_tree_model(), assembly, make_loss, make_encoder)


def _method(name: Network, summary: str) -> Method:
    return Method(
        name=name, summary=summary, config=RecursiveNetworkConfig, build=partial(build, name), training=training
    )


TREE_LSTM = _method("tree-lstm", "baseline of StrAE: a binary Tree-LSTM on any structure, from scratch (ACL 2015)")
"""Tree-LSTM as an autoencoder."""

IORNN = _method("iornn", "baseline of StrAE: an inside-outside recursive network, from scratch (EMNLP 2014)")
"""The inside-outside recursive network."""
