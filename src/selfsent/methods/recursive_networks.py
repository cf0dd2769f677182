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

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from sentence_transformers import SentenceTransformer
from torch import nn
from transformers import PreTrainedTokenizerBase

from selfsent.losses.recursive_network import RecursiveNetworkLoss, RecursiveObjectiveOptions
from selfsent.methods.method import Method
from selfsent.methods.tree_model import (
    AnyTreeConfig,
    PlainTexts,
    assemble_tree_model,
    encoder_options,
    released_training,
)
from selfsent.modules import RecursiveEncoder
from selfsent.modules.tree_finder import Structure
from selfsent.modules.tree_options import Network, TreeOptions
from selfsent.options import option
from selfsent.parsing.given_trees import GivenTrees
from selfsent.training.run import Ingredients, Run, RunData


@dataclass(frozen=True, kw_only=True)
class RecursiveNetworkConfig(RecursiveObjectiveOptions, AnyTreeConfig):
    """Options of ``tree-lstm`` and ``iornn``; all but the size are those of ``strae``, with its defaults.

    Args:
        dimension: Values of an embedding (StrAE: 100).
    """

    dimension: int = option(100, at_least=1)
    structure: Structure = "balanced"


def training(config: RecursiveNetworkConfig) -> dict[str, Any]:
    """The training arguments of ``strae``."""
    return released_training(is_contrastive=config.objective == "contrastive")


def build(network: Network, run: Run[RecursiveNetworkConfig], data: RunData) -> Ingredients:
    """Put model and loss together; see `assemble_tree_model`."""
    config = run.config

    def make_encoder(tokenizer: PreTrainedTokenizerBase, given: GivenTrees | None) -> RecursiveEncoder:
        settings = encoder_options(config, TreeOptions, given)
        return RecursiveEncoder(tokenizer=tokenizer, network=network, dimension=config.dimension, **settings)

    def make_loss(model: SentenceTransformer, _: PlainTexts) -> nn.Module:
        objective = asdict(config.part(RecursiveObjectiveOptions))
        return RecursiveNetworkLoss(model, **objective, dropout=config.decomposition_dropout)

    return assemble_tree_model(run, data, make_loss, make_encoder)


def _method(name: Network, summary: str) -> Method:
    return Method(
        name=name, summary=summary, config=RecursiveNetworkConfig, build=partial(build, name), training=training
    )


TREE_LSTM = _method("tree-lstm", "baseline of StrAE: a binary Tree-LSTM on any structure, from scratch (ACL 2015)")
"""Tree-LSTM as an autoencoder."""

IORNN = _method("iornn", "baseline of StrAE: an inside-outside recursive network, from scratch (EMNLP 2014)")
"""The inside-outside recursive network."""
