"""The objectives: pure functions in ``functional``, one mechanism a file. Each is a loss of the host's trainer."""

from selfsent.losses.info_nce import InfoNCELoss
from selfsent.losses.masked_language_modelling import MaskedLanguageModelingLoss
from selfsent.losses.node_contrastive import NodeContrastiveLoss
from selfsent.losses.reconstruction import ContrastiveReconstructionLoss, ReconstructionLoss

__all__ = [
    "ContrastiveReconstructionLoss",
    "InfoNCELoss",
    "MaskedLanguageModelingLoss",
    "NodeContrastiveLoss",
    "ReconstructionLoss",
]
