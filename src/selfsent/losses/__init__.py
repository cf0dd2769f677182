"""The objectives: pure functions in ``functional``, one mechanism a file. Each is a loss of the host's trainer."""

from selfsent.losses.node_contrastive import NodeContrastiveLoss
from selfsent.losses.reconstruction import ContrastiveReconstructionLoss, ReconstructionLoss

__all__ = ["ContrastiveReconstructionLoss", "NodeContrastiveLoss", "ReconstructionLoss"]
