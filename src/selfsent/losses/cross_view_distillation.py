"""SCT's distillation: a student learns the teacher's similarities to the teacher's vectors of earlier sentences."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn
from torch.nn import functional

from selfsent.errors import UserError
from selfsent.losses.cross_view import (
    SCT_CITATION,
    CrossViewOptions,
    QueueComparison,
    QueueOptions,
    Reference,
    Views,
    encode,
    make_average,
    make_head,
)
from selfsent.losses.sentence_pass import two_views, width_of
from selfsent.options import Options, takes_two

Objective = Literal["joint", "alone"]
Distillation = Literal["cross-view", "mse", "ckd", "congen"]

FORMS: Mapping[Distillation, Mapping[str, Any]] = {
    "cross-view": {},
    "mse": {"comparison": "vectors", "cross_view": False},
    "ckd": {"comparison": "contrastive", "cross_view": False},
    "congen": {"comparison": "distribution", "cross_view": False, "queues": "one"},
}
"""What each form sets of how the student is compared with the teacher."""


@dataclass(frozen=True, kw_only=True)
class DistillationOptions(Options):
    """What SCT's distillation adds to the self-supervised objective.

    Args:
        objective: ``joint`` with the self-supervised objective (paper), or distillation ``alone`` (released code).
        distillation: What is asked of the student: ``cross-view``, SCT's L_CD; ``mse``, the teacher's unit vector of
            the same view; ``ckd``, to find that vector in the queue (contrastive, as in DisCo); or ``congen``, that
            both views lie among one queue as the teacher's first view does. The last three are what the paper compares
            with, as we read their names.
        share_queues: Whether the self-supervised objective is compared within the teacher's queues as well.
    """

    objective: Objective = "joint"
    distillation: Distillation = "cross-view"
    share_queues: bool = False


@dataclass(frozen=True, kw_only=True)
class CrossViewDistillationOptions(DistillationOptions, CrossViewOptions):
    """Options of `CrossViewDistillationLoss`."""

    def problems(self) -> list[str]:
        """Name the options that have a value they may not have, alone or together."""
        problems = super().problems()
        if self.share_queues and self.comparison == "contrastive":
            problems.append(
                "share_queues with comparison=contrastive has no positive among the teacher's vectors; drop one"
            )
        if self.share_queues and self.distillation != "cross-view":
            problems.append(
                f"share_queues with distillation={self.distillation} shares no queue of both views; drop one"
            )
        if self.objective == "alone" and not self.stop_gradient:
            problems.append("stop_gradient=false with objective=alone has no reference that could learn; drop one")
        return problems


class CrossViewDistillationLoss(nn.Module):
    """Train a student's view of a sentence to have the teacher's similarities between the other view and its vectors.

    The teacher's vectors are the references of the cross-view comparison and fill its queues, so a student needs no
    space of its own to agree with: it need not copy vectors, only likenesses. ``joint`` adds the self-supervised
    objective, whose references are the student's own.

    Source: SCT (Limkonchotiwat et al., TACL 2023), Section 3.4: L_SCT + L_CD.
    Differs: the released code optimises L_CD alone, as a sum, without the head, from a student that the
    self-supervised objective trained before: ``objective="alone", reduction="sum", head="none", enqueue="after"`` and
    that student as the model. The paper leaves open whether both terms share queues: here each has its own, unless
    ``share_queues``, where both use the teacher's.

    Gradients reach the student and the head alone; the teacher is not run. ``forward`` moves the queues on where
    gradients are on. Head and queues are not part of the saved model.

    Inputs: one or two columns as for `selfsent.losses.cross_view.CrossViewLoss`, and labels ``(B, 1)`` or ``(B, 2)``:
    for each view the row of ``teacher_vectors`` that belongs to its text.

    The checkpoints of sentence-transformers do not hold the head, the queues and the averaged weights: to resume a
    run, or to train on several devices, use `selfsent.training.trainer.ExactTrainer`.

    Args:
        model: The student.
        teacher_vectors: The teacher's vector of every text, ``(texts, D)``; an array or a file mapped into memory.
        options: Settings by keyword; see `DistillationOptions` and `selfsent.losses.cross_view.CrossViewOptions`, whose
            comparison holds for both terms and whose reference for the self-supervised one.

    Raises:
        UserError: Student and teacher differ in width, or a setting is out of range; in ``forward``: no labels, or
            labels that are no rows of ``teacher_vectors``.

    Example:
        ```python
        from datasets import Dataset
        from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer

        from selfsent.losses import CrossViewDistillationLoss

        teacher = SentenceTransformer("sentence-transformers/all-mpnet-base-v2")
        model = SentenceTransformer("bert-base-uncased")
        texts = ["A cat sleeps on the roof.", "It rained all night."]
        # Row 0 of the teacher's vectors belongs to both views of text 0, and so on.
        dataset = Dataset.from_dict({"text": texts, "label": [[0, 0], [1, 1]]})
        loss = CrossViewDistillationLoss(model, teacher.encode(texts), queue_size=16_384)
        trainer = SentenceTransformerTrainer(model=model, train_dataset=dataset, loss=loss)
        trainer.train()
        ```
    """

    @takes_two(CrossViewDistillationOptions)
    def __init__(
        self,
        model: SentenceTransformer,
        teacher_vectors: NDArray[np.float32],
        options: CrossViewDistillationOptions,
    ) -> None:
        super().__init__()
        width = width_of(model)
        require_same_width(width, teacher_vectors.shape[1])
        self.model = model
        self.teacher_vectors = teacher_vectors
        self.objective, self.share_queues = options.objective, options.share_queues
        is_joint = options.objective == "joint"
        comparison = asdict(options.part(QueueOptions))
        self.form: Distillation = options.distillation
        self.distillation = QueueComparison(width, **{**comparison, **FORMS[self.form]}).to(model.device)
        has_own_queues = is_joint and not options.share_queues
        self.cross_view = QueueComparison(width, **comparison).to(model.device) if has_own_queues else None
        self.head = make_head(options.head, width).to(model.device)
        self.reference: Reference = options.reference
        self.average = make_average(options.reference, model, options.ema_decay) if is_joint else None

    def forward(
        self, sentence_features: Iterable[Mapping[str, Any]], labels: Tensor | None = None
    ) -> Float[Tensor, ""] | dict[str, Float[Tensor, ""]]:
        """Return L_CD, or both terms by name where they are ``joint``; means over sentences, in nats."""
        views = two_views(sentence_features)
        is_joint = self.objective == "joint"
        reference: Reference = self.reference if is_joint else "online"  # of no use alone, and free
        stop_gradient = self.distillation.options.stop_gradient
        online, own_references = encode(
            self.model,
            views,
            head=self.head,
            reference=reference,
            average=self.average,
            stop_gradient=stop_gradient,
        )
        references = self._teacher_references(labels, like=online[0])
        candidates = self.distillation.candidates(references)
        terms = {"distillation": self.distillation.compare(online, references, candidates)}
        if is_joint:
            terms["cross_view"] = (
                self.cross_view(online, own_references)
                if self.cross_view is not None
                else self.distillation.compare(online, own_references, candidates)
            )
        self.distillation.advance(references)
        return terms if is_joint else terms["distillation"]

    def _teacher_references(self, labels: Tensor | None, *, like: Tensor) -> Views:
        """Look the teacher's vectors of both views up."""
        if labels is None or labels.ndim != 2:  # noqa: PLR2004 sentences and views
            raise UserError(
                "distillation needs labels: for each view the row of its text in the teacher's vectors; got"
                f" {'none' if labels is None else f'labels of shape {tuple(labels.shape)}'}"
            )
        numbers = labels.cpu().numpy()
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < len(self.teacher_vectors):
            raise UserError(
                f"labels from {numbers.min()} to {numbers.max()} are not all rows of the {len(self.teacher_vectors):,}"
                " vectors of the teacher; compute them for these texts"
            )
        found = torch.from_numpy(np.asarray(self.teacher_vectors[numbers], dtype=np.float32))
        unit = functional.normalize(found.to(like.device), dim=-1)
        first = unit[:, 0]
        return first, (first if self.form == "congen" else unit[:, -1])

    def get_config_dict(self) -> dict[str, Any]:
        """Name the settings for the model card."""
        return {
            **self.distillation.get_config_dict(),
            "objective": self.objective,
            "distillation": self.form,
            "share_queues": self.share_queues,
            "head": type(self.head).__name__,
            "reference": self.reference if self.average is None else f"ema, decay {self.average.decay}",
        }

    @property
    def citation(self) -> str:
        """BibTeX entry of the source, for the model card."""
        return SCT_CITATION


def require_same_width(student: int, teacher: int) -> None:
    """Refuse a student whose vectors cannot be compared with the teacher's."""
    if student != teacher:
        raise UserError(
            f"the student's embeddings have {student} values and the teacher's {teacher}; a layer that bridges them is"
            " needed: bridge=auto adds one to the model"
        )
