"""Banyan: a tree autoencoder over entangled trees, with 14 weights beside its tables, from scratch on raw text.

Opper & Siddharth, "Banyan: Improved Representation Learning with Explicit Structure" (arXiv 2407.17771).

=======================================  =====================================  =====================================
of the paper                             object                                 file
=======================================  =====================================  =====================================
entangled trees                          ``entangle``                           ``trees/entangled.py``
a node shared by identity                ``number_merges``                      ``trees/pair_numbers.py``
diagonal composition, 3U weights         ``DiagonalComposition``                ``modules/composition.py``
diagonal decomposition, 4U weights       ``DiagonalDecomposition``              ``modules/composition.py``
mean over the messages of all parents    ``entangled_downward``                 ``kernels/entangled_passes.py``
the same passes, compiled                ``diagonal_upward``                    ``kernels/diagonal_passes.py``
...                                      ``diagonal_downward``                  ``kernels/diagonal_passes.py``
cross-entropy over distinct words        ``EntangledReconstructionLoss``        ``losses/entangled_reconstruction.py``
induced structure                        ``induce``                             ``kernels/induction.py``
=======================================  =====================================  =====================================

Where we differ:

* Every sentence merges its own most similar pair, as the released code does; the paper describes one frontier whose
  best pair is merged wherever it stands.
* Trees are found before composed embeddings lose values to dropout; the released code finds them after.
* The vocabulary is trained on the corpus itself, where the release takes BPEmb's 25,000 pieces of Wikipedia. Digits
  stay; BPEmb writes each of them as 0.
* Which checkpoint is kept, and a last batch that is not full (``preset=released`` keeps it): as in ``strae``.
* Padding is masked; the release takes the last token of a batch without padding for it.
"""

from dataclasses import asdict, dataclass
from typing import Any

from selfsent.losses.entangled_reconstruction import EntangledReconstructionLoss, EntangledReconstructionOptions
from selfsent.methods.method import Method, Released
from selfsent.methods.tree_model import TreeModelConfig, assemble_from_channels, released_training
from selfsent.modules.composition import Cell
from selfsent.options import option
from selfsent.training.run import Ingredients, Run, RunData


@dataclass(frozen=True, kw_only=True)
class BanyanConfig(EntangledReconstructionOptions, TreeModelConfig):
    """Options of ``banyan``: those of every tree model, with Banyan's defaults.

    Args:
        channels: K (Banyan: 128).
        channel_size: U (Banyan: 2; ``7U`` weights).
        cell: ``diagonal`` (Banyan), or the ``affine`` one of StrAE.
        leaf_dropout: Share of values dropped from leaf embeddings (released code: 0.1).
    """

    channels: int = option(128, at_least=1)
    channel_size: int = option(2, at_least=1)
    cell: Cell = "diagonal"
    leaf_dropout: float = option(0.1, at_least=0, below=1)


def training(config: BanyanConfig) -> dict[str, Any]:  # noqa: ARG001 every method takes its configuration
    """The released code's training arguments: Adam at a constant rate, 15 epochs of batches of 512, not clipped."""
    return released_training(is_contrastive=False) | {"max_grad_norm": 0.0}


def build(run: Run[BanyanConfig], data: RunData) -> Ingredients:
    """Put model and loss together; see `assemble_from_channels`."""
    return assemble_from_channels(
        run,
        data,
        lambda model, _: EntangledReconstructionLoss(model, **asdict(run.config.part(EntangledReconstructionOptions))),
    )


BANYAN = Method(
    name="banyan",
    summary="a tree autoencoder over entangled trees, 14 weights beside its tables (2024)",
    config=BanyanConfig,
    build=build,
    training=training,
    released=Released(training={"dataloader_drop_last": False}),
)
"""Banyan: equal phrases of a batch are one node."""
