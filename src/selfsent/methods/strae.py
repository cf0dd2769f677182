"""StrAE and Self-StrAE: sentence embeddings from a tree autoencoder, trained from scratch on raw text.

Opper, Prokhorov & Siddharth, "StrAE: Autoencoding for Pre-Trained Embeddings using Explicit Structure", EMNLP 2023
(arXiv 2305.05588); Opper & Siddharth, SemEval-2024 (arXiv 2404.01860) for the mixed objective.

=====================================  ========================================  =====================================
of the paper                           object                                    file
=====================================  ========================================  =====================================
embedding Omega, K channels x U        ``ComposingEncoder.embedding``            ``modules/tree_encoder.py``
composition C, 2U^2 + U weights        ``AffineComposition``                     ``modules/composition.py``
decomposition D, 2U^2 + 2U weights     ``AffineDecomposition``                   ``modules/composition.py``
index function Lambda                  ``LeafReconstruction``                    ``losses/reconstruction.py``
induced structure (Self-StrAE)         ``induce``                                ``kernels/induction.py``
parsed structure (StrAE)               ``GivenTrees``                            ``parsing/given_trees.py``
structure from attention (v1)          ``AttentionTrees``                        ``modules/attention_trees.py``
... as binary trees                    ``trees_of_depths``                       ``trees/split_depths.py``
upward and downward traversal          ``upward``, ``downward``                  ``kernels/passes.py``
contrastive objective over nodes       ``NodeContrastiveLoss``                   ``losses/node_contrastive.py``
cross-entropy objective                ``ReconstructionLoss``                    ``losses/reconstruction.py``
mixed objective (SemEval-2024)         ``ContrastiveReconstructionLoss``         ``losses/reconstruction.py``
=====================================  ========================================  =====================================

Where we differ:

* Embeddings have 10 channels of 10 values, as in the paper; the released code's default is E = 256, 16 channels of 16.
* The temperature divides, and defaults to e^-0.2 = 0.8187: the released code multiplies cosines by e^0.2.
* Decomposition gives its first half to the left child always; the release gives it to the smaller node number.
* The vocabulary is trained on the corpus itself (byte-pair encoding, 25,000 pieces at most, lower case), where the
  release takes BPEmb's 25,000 pieces of Wikipedia. Digits stay; BPEmb writes each of them as 0.
* The best checkpoint is that of STS-B dev where ``--data-dir`` has it, looked at ten times a run and at least every
  500 steps (``training.eval_steps``); the release keeps the epoch of the lowest validation loss, as is done here where
  there is no STS-B.
* A last batch that is not full is left out (``training.dataloader_drop_last``); the release trains on it. Repeated
  texts stay, as there.
* Of parsed structures the paper names constituency parses. Here dependency parses are taken too, each head with its
  right dependents first; constituents of several children are merged from the right (``binarisation``); the pieces of a
  word are a constituent of their own.
* What the paper leaves open are options, off by default: other searches than greedy merging (``inducer``), words or
  spans that occur again (``repeats``), negatives weighed by their distance in the tree (``distance_decay``),
  neighbours as context of a leaf (``context``), a root whose two sides are two vectors (``roots=separate``), and
  weights by frequency on the cross-entropy of the leaves (``weighting``).
* How structure is derived from attention could not be had: ``structure=attention`` merges neighbouring words by the
  mean attention of all layers and heads of the transformer that ``--base`` names. It is saved with the model.
* The output weights of reconstruction are the embedding table (paper); the release has a layer of its own (``tied``).

``preset=released`` of ``self-strae`` sets size, output weights and last batch to what the release runs.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from sentence_transformers import SentenceTransformer
from torch import nn

from selfsent.counts.token_frequencies import count_tokens
from selfsent.losses import ContrastiveReconstructionLoss, NodeContrastiveLoss, ReconstructionLoss
from selfsent.losses.node_contrastive import NodeContrastiveOptions, NodeContrastOptions
from selfsent.losses.reconstruction import (
    ContrastiveReconstructionOptions,
    LeafReconstructionOptions,
    LeafWeightOptions,
)
from selfsent.methods.method import Method, Released
from selfsent.methods.tree_model import PlainTexts, TreeModelConfig, assemble_from_channels, released_training
from selfsent.modules.tree_finder import Structure
from selfsent.modules.tree_options import RootOptions
from selfsent.training.run import Ingredients, Run, RunData

Objective = Literal["contrastive", "cross-entropy", "contrastive-cross-entropy"]


@dataclass(frozen=True, kw_only=True)
class StraeConfig(TreeModelConfig, NodeContrastOptions, LeafWeightOptions, RootOptions):
    """Options of ``self-strae`` and ``strae`` beside those of every tree model; the papers' and the released code's.

    Args:
        objective: ``contrastive`` over all nodes, ``cross-entropy`` of the leaf tokens, or half of each over internal
            nodes and leaves.
    """

    objective: Objective = "contrastive"


def training(config: StraeConfig) -> dict[str, Any]:
    """The released code's training arguments: Adam at a constant rate, 15 epochs of batches of 512, clipped at 1."""
    return released_training(is_contrastive=config.objective == "contrastive")


def build(run: Run[StraeConfig], data: RunData) -> Ingredients:
    """Put model and loss together; see `assemble_from_channels`."""
    return assemble_from_channels(run, data, lambda model, texts: _loss(run.config, model, texts))


def _loss(config: StraeConfig, model: SentenceTransformer, texts: PlainTexts) -> nn.Module:
    if config.objective == "contrastive":
        return NodeContrastiveLoss(model, **asdict(config.part(NodeContrastiveOptions)))
    frequencies = None
    if config.weighting != "uniform":
        frequencies = count_tokens(texts(), model.tokenizer)
    if config.objective == "cross-entropy":
        return ReconstructionLoss(model, frequencies=frequencies, **asdict(config.part(LeafReconstructionOptions)))
    return ContrastiveReconstructionLoss(
        model, frequencies=frequencies, **asdict(config.part(ContrastiveReconstructionOptions))
    )


SELF_STRAE = Method(
    name="self-strae",
    summary="a tree autoencoder that finds its own structure, from scratch on raw text (EMNLP 2023)",
    config=StraeConfig,
    build=build,
    training=training,
    released=Released(
        options={"channels": 16, "channel_size": 16, "tied": False}, training={"dataloader_drop_last": False}
    ),
)
"""Self-StrAE: structure induced while it learns."""


@dataclass(frozen=True, kw_only=True)
class FixedStructureConfig(StraeConfig):
    """Options of ``strae``: those of ``self-strae``, with a balanced structure unless another is named."""

    structure: Structure = "balanced"


STRAE = Method(
    name="strae",
    summary="the same autoencoder: --set structure=given|attention|balanced|right|left|random (EMNLP 2023)",
    config=FixedStructureConfig,
    build=build,
    training=training,
)
"""StrAE over a fixed structure."""
