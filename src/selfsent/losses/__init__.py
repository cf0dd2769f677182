"""The objectives, one mechanism a file, pure functions in ``functional``; all run in ``SentenceTransformerTrainer``."""

from selfsent.losses.cross_view import CrossViewLoss
from selfsent.losses.cross_view_distillation import CrossViewDistillationLoss
from selfsent.losses.entangled_reconstruction import EntangledReconstructionLoss
from selfsent.losses.info_nce import InfoNCELoss
from selfsent.losses.masked_language_modelling import MaskedLanguageModelingLoss
from selfsent.losses.node_contrastive import NodeContrastiveLoss
from selfsent.losses.reconstruction import ContrastiveReconstructionLoss, ReconstructionLoss
from selfsent.losses.recursive_network import RecursiveNetworkLoss
from selfsent.losses.sequence_reconstruction import SequenceReconstructionLoss
from selfsent.losses.teacher_matching import TeacherMatchingLoss
from selfsent.losses.token_reconstruction import TokenReconstructionLoss
from selfsent.losses.translation_ranking import TranslationRankingLoss

__all__ = [
    "ContrastiveReconstructionLoss",
    "CrossViewDistillationLoss",
    "CrossViewLoss",
    "EntangledReconstructionLoss",
    "InfoNCELoss",
    "MaskedLanguageModelingLoss",
    "NodeContrastiveLoss",
    "ReconstructionLoss",
    "RecursiveNetworkLoss",
    "SequenceReconstructionLoss",
    "TeacherMatchingLoss",
    "TokenReconstructionLoss",
    "TranslationRankingLoss",
]
