"""The table of the losses: what each is made with, what it changes, and every error that it answers a mistake with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from selfsent.losses.masked_language_modelling import MaskedLanguageModel

Settings = Mapping[str, Any]
TEACHER = np.random.default_rng(0).normal(size=(12, 16)).astype(np.float32)
SMALL_QUEUE = {"queue_size": 32, "temperature": 0.2, "reference_temperature": 0.1}


@dataclass(frozen=True, kw_only=True)
class Made:
    """A setting that is made for the model: a head, a masked language model."""

    of: Callable[[SentenceTransformer], Any]


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A mistake and the error that answers it.

    Args:
        settings: What the loss is made with.
        match: What the error says.
        model: The model it is made for.
        columns: Columns of texts that are put in; ``None`` where the loss cannot even be made.
        labels: Labels that are put in.
    """

    match: str
    settings: Settings = field(default_factory=dict[str, Any])
    model: str | None = None
    columns: int | None = None
    num_rows: int = 6
    labels: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Case:
    """What the contract must know of one loss.

    Args:
        model: The model it trains, by its name in ``prototypes``.
        variants: Settings that change what ``forward`` computes.
        refusals: Every error of the loss.
        settings: Settings of all variants.
        columns: Columns of texts.
        labels: Labels of six rows, where it takes some.
        moves: Beginnings of the names of state that a training step changes.
    """

    model: str
    variants: tuple[Settings, ...] = ({},)
    refusals: tuple[Refusal, ...]
    settings: Settings = field(default_factory=dict[str, Any])
    columns: int = 1
    labels: Tensor | None = None
    moves: tuple[str, ...] = ()


NO_TREE = Refusal(match=r"needs a tree model.*StaticEmbedding", model="static")
NO_DIVISOR = Refusal(settings={"temperature": 0.0}, match=r"temperature=0\.0")
NO_DECAY = Refusal(settings={"distance_decay": 1.0}, match=r"distance_decay.*1\.0")
NO_REPEATS = Refusal(settings={"repeats": "x"}, match=r"repeats.*'x'")
MASKING: Settings = {"masked_language_model": Made(of=MaskedLanguageModel)}
HEAD: Settings = {"head": Made(of=lambda _: nn.Linear(16, 16))}
TREE_CONTRASTS: tuple[Settings, ...] = (
    {},
    {"temperature": 0.05},
    {"repeats": "masked"},
    {"repeats": "positive", "distance_decay": 0.5},
)
NETWORK_OBJECTIVES: tuple[Settings, ...] = (
    {"objective": "contrastive"},
    {"objective": "cross-entropy", "tied": False},
    {"objective": "contrastive-cross-entropy"},
)

CASES: dict[str, Case] = {
    "ContrastiveReconstructionLoss": Case(
        model="tree",
        variants=({}, {"tied": False}, {"repeats": "positive", "distance_decay": 0.5}),
        refusals=(NO_TREE, NO_DIVISOR, NO_DECAY, NO_REPEATS),
    ),
    "CrossViewDistillationLoss": Case(
        model="bert",
        settings={"teacher_vectors": TEACHER, **SMALL_QUEUE},
        variants=(
            {},
            {"objective": "alone"},
            {"share_queues": True},
            {"reference": "ema"},
            {"distillation": "mse"},
            {"distillation": "congen", "objective": "alone"},
        ),
        columns=2,
        labels=torch.arange(12).view(6, 2),
        moves=("distillation.queues", "cross_view.queues", "average"),
        refusals=(
            Refusal(settings={"objective": "x"}, match=r"objective.*'x'"),
            Refusal(settings={"teacher_vectors": TEACHER[:, :8]}, match="16 values and the teacher's 8.*bridge=auto"),
            Refusal(
                settings={"share_queues": True, "comparison": "contrastive"}, match="share_queues.*comparison=contrast"
            ),
            Refusal(settings={"distillation": "mse", "share_queues": True}, match="share_queues.*distillation=mse"),
            Refusal(settings={"objective": "alone", "stop_gradient": False}, match="stop_gradient.*objective=alone"),
            Refusal(columns=2, match="needs labels.*got none"),
            Refusal(columns=2, labels=torch.arange(6), match=r"needs labels.*shape \(6,\)"),
            Refusal(columns=2, labels=torch.arange(12).view(6, 2) + 1, match="not all rows of the 12 vectors"),
        ),
    ),
    "CrossViewLoss": Case(
        model="bert",
        settings=SMALL_QUEUE,
        variants=(
            {},
            {"head": "none"},
            {"reference": "ema"},
            {"reference": "online"},
            {"comparison": "contrastive"},
            {"comparison": "vectors"},
            {"stop_gradient": False},
            {"queues": "none", "queue_size": 1},
        ),
        columns=2,
        moves=("comparison.queues", "average"),
        refusals=(
            Refusal(settings={"head": "x"}, match=r"head.*'x'"),
            Refusal(settings={"reference": "x"}, match=r"reference.*'x'"),
            Refusal(
                settings={"reference": "ema", "stop_gradient": False}, match="stop_gradient=false with reference=ema"
            ),
            Refusal(settings={"temperature": 0.0, "queues": "x"}, match=r"(?s)(?=.*queues.*'x').*temperature=0\.0"),
            Refusal(columns=3, num_rows=4, match="3 columns of texts"),
            Refusal(settings={"queue_size": 4}, columns=2, match="queue of 4 rows is smaller than the 6"),
        ),
    ),
    "EntangledReconstructionLoss": Case(
        model="diagonal tree",
        variants=({}, {"tied": True}),
        refusals=(NO_TREE, Refusal(settings={"decomposition_dropout": 1.0}, match=r"decomposition_dropout=1\.0")),
    ),
    "InfoNCELoss": Case(
        model="bert",
        variants=({}, {"symmetric": True, "margin": 0.3}, HEAD, MASKING),
        columns=2,
        moves=("num_false_negatives",),
        refusals=(
            NO_DIVISOR,
            Refusal(settings={"margin": 2.0}, match=r"margin=2\.0"),
            Refusal(settings={"hard_negative_weight": 0.0}, match=r"hard_negative_weight=0\.0"),
            Refusal(settings={"masked_weight": -1.0}, match=r"masked_weight=-1\.0"),
            Refusal(columns=2, num_rows=1, match="batch of one sentence.*--batch-size"),
        ),
    ),
    "MaskedLanguageModelingLoss": Case(
        model="bert",
        refusals=(
            Refusal(settings={"masked_share": 0.0}, match=r"0\.0.*above 0 and below 1"),
            Refusal(model="static", match="needs a transformer.*StaticEmbedding.*--base"),
            Refusal(model="bert without mask", match="no mask token"),
            Refusal(settings={"base": "no/such-model"}, match="no masked LM for no/such-model"),
            Refusal(settings={"next_sentence": True}, columns=1, match="must get two columns of texts, got 1"),
        ),
    ),
    "NodeContrastiveLoss": Case(
        model="tree", variants=TREE_CONTRASTS, refusals=(NO_TREE, NO_DIVISOR, NO_DECAY, NO_REPEATS)
    ),
    "ReconstructionLoss": Case(
        model="tree",
        variants=({}, {"tied": False}),
        refusals=(NO_TREE, Refusal(settings={"weighting": "linear"}, match="needs the frequencies of the tokens")),
    ),
    "RecursiveNetworkLoss": Case(
        model="tree-lstm",
        variants=NETWORK_OBJECTIVES,
        refusals=(
            NO_DIVISOR,
            Refusal(settings={"objective": "x"}, match=r"objective.*'x'"),
            Refusal(model="static", match="recursive network.*StaticEmbedding"),
        ),
    ),
    "SequenceReconstructionLoss": Case(
        model="bi-lstm",
        variants=({}, {"tied": False}),
        refusals=(
            Refusal(model="static", match="token embeddings.*StaticEmbedding"),
            Refusal(model="bi-lstm of another width", match="must be equal"),
        ),
    ),
    "TeacherMatchingLoss": Case(
        model="bert",
        settings={"teacher_vectors": TEACHER},
        variants=({}, {"objective": "cosine"}, {"projection": TEACHER.T @ TEACHER}),
        columns=2,
        labels=torch.tensor([3, 1, 4, 1, 5, 9]),
        refusals=(
            Refusal(settings={"objective": "x"}, match=r"objective.*'x'"),
            Refusal(settings={"teacher_vectors": TEACHER[:, :8]}, match="16 values and the teacher's 8.*bridge=auto"),
            Refusal(columns=2, match="needs labels.*got none"),
            Refusal(columns=2, labels=torch.tensor([0, 1, 2, 3, 4, 12]), match="labels from 0 to 12.*12 vectors"),
        ),
    ),
    "TokenReconstructionLoss": Case(
        model="bert and cnn",
        variants=({}, {"detach_target": True, "reduction": "mean"}, {"components": False, "beta": 0.0}),
        moves=("contrast.num_false_negatives",),
        refusals=(
            Refusal(settings={"beta": -1.0, "reduction": "x"}, match=r"beta=-1\.0 .*reduction.*x"),
            Refusal(model="bert that cuts no text", match="max_seq_length is .*; set it"),
            Refusal(model="bert of another width", match="width 16 cannot be rebuilt from embeddings of width 8"),
            Refusal(model="static", match="first module here is StaticEmbedding"),
        ),
    ),
    "TranslationRankingLoss": Case(
        model="bert",
        variants=({}, {"mini_batch_size": 4}, {"mlm_weight": 1.0, "tlm_weight": 1.0}),
        columns=2,
        moves=("ranking.num_false_negatives", "ranking.contrast.num_false_negatives"),
        refusals=(
            Refusal(settings={"mini_batch_size": 0}, match="mini_batch_size=0"),
            Refusal(settings={"ranking_weight": 0.0}, match="leave nothing to learn from"),
            Refusal(model="static", settings={"mini_batch_size": 4}, columns=2, match="StaticEmbedding has none"),
        ),
    ),
}
