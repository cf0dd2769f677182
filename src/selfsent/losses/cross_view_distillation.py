"""SCT's distillation: a student lies among a teacher's vectors as the teacher does."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

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
    Head,
    Reference,
    encode,
    make_average,
    make_head,
    two_views,
    width_of,
)
from selfsent.losses.queue_comparison import QueueComparison, Views

Objective = Literal["joint", "alone"]


class CrossViewDistillationLoss(nn.Module):
    """Place a student's view of a sentence among the teacher's vectors as the teacher places the other view.

    The teacher's vectors are the references of the cross-view comparison and fill its queues, so a student needs no
    space of its own to agree with: it need not copy vectors, only likenesses. ``joint`` adds the self-supervised
    objective, whose references are the student's own.

    Source: SCT (Limkonchotiwat et al., TACL 2023), Section 3.4: L_SCT + L_CD.
    Differs: the released code optimises L_CD alone, as a sum, without the head, from a student that the
    self-supervised objective trained before: ``objective="alone", reduction="sum", head="none", enqueue="after"`` and
    that student as the model. The paper leaves open whether both terms share queues: here each has its own, unless
    ``share_queues``, where both use the teacher's.

    Gradients reach the student and the head alone; the teacher is not run. ``forward`` moves the queues on where
    gradients are on. Head and queues are saved in checkpoints and no part of the saved model.

    Inputs: one or two columns as for `selfsent.losses.cross_view.CrossViewLoss`, and labels ``(B, 1)`` or ``(B, 2)``:
    for each view the row of ``teacher_vectors`` that belongs to its text.

    Args:
        model: The student.
        teacher_vectors: The teacher's vector of every text, ``(texts, D)``; an array or a file mapped into memory.
        objective: ``joint`` with the self-supervised objective (paper), or distillation ``alone`` (released code).
        share_queues: Whether the self-supervised objective is compared within the teacher's queues as well.
        head: As for ``CrossViewLoss``; it is over the online vectors of both terms.
        reference: As for ``CrossViewLoss``, for the self-supervised term.
        ema_decay: As for ``CrossViewLoss``.
        comparison: Settings of `selfsent.losses.queue_comparison.QueueComparison`, for both terms.

    Raises:
        UserError: Student and teacher differ in width, or a setting is out of range; in ``forward``: no labels, or
            labels that are no rows of ``teacher_vectors``.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        teacher_vectors: NDArray[np.float32],
        *,
        objective: Objective = "joint",
        share_queues: bool = False,
        head: Head = "mlp",
        reference: Reference = "same",
        ema_decay: float = 0.999,
        **comparison: Any,
    ) -> None:
        super().__init__()
        if objective not in get_args(Objective):
            raise UserError(f"objective={objective!r} is none of {', '.join(get_args(Objective))}")
        require_same_width(width_of(model), teacher_vectors.shape[1])
        self.model = model
        self.teacher_vectors = teacher_vectors
        self.objective = objective
        self.share_queues = share_queues
        if share_queues and comparison.get("comparison") == "contrastive":
            raise UserError(
                "share_queues with comparison=contrastive has no positive among the teacher's vectors; drop one"
            )
        width = width_of(model)
        self.distillation = QueueComparison(width, **comparison).to(model.device)
        has_own_queues = objective == "joint" and not share_queues
        self.cross_view = QueueComparison(width, **comparison).to(model.device) if has_own_queues else None
        self.head = make_head(head, width).to(model.device)
        self.reference: Reference = reference
        self.average = make_average(reference, model, ema_decay) if objective == "joint" else None

    def forward(
        self, sentence_features: Iterable[Mapping[str, Any]], labels: Tensor | None = None
    ) -> Float[Tensor, ""] | dict[str, Float[Tensor, ""]]:
        """Return L_CD, or both terms by name where they are ``joint``; means over sentences, in nats."""
        views = two_views(sentence_features)
        is_joint = self.objective == "joint"
        reference: Reference = self.reference if is_joint else "online"  # of no use alone, and free
        online, own_references = encode(self.model, views, head=self.head, reference=reference, average=self.average)
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
        return unit[:, 0], unit[:, -1]

    def get_config_dict(self) -> dict[str, Any]:
        """Name the settings for the model card."""
        return {
            **self.distillation.get_config_dict(),
            "objective": self.objective,
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
