"""Copying a teacher's vectors: the distillation that makes a monolingual model multilingual."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import EmbedDistillLoss
from torch import Tensor

from selfsent.errors import UserError
from selfsent.losses.cross_view_distillation import require_same_width
from selfsent.losses.sentence_pass import embed_columns, width_of
from selfsent.options import Options, takes_two

Matching = Literal["mse", "cosine"]


@dataclass(frozen=True, kw_only=True)
class TeacherMatchingOptions(Options):
    """Options of `TeacherMatchingLoss`.

    Args:
        objective: ``mse``, the mean squared difference, or ``cosine``, one minus the mean cosine.
    """

    objective: Matching = "mse"


@dataclass(frozen=True, kw_only=True)
class _Arguments(TeacherMatchingOptions):
    projection: NDArray[np.float32] | None = None


class TeacherMatchingLoss(EmbedDistillLoss):
    """Bring the student's vector of a text, and that of its translation, to the teacher's vector of the text.

    ``mse`` is the mean squared difference over sentences and values, ``cosine`` one minus the mean cosine.

    Source: Reimers and Gurevych, EMNLP 2020, Section 2, whose ``mse`` is a sum of both terms; here it is a mean, as in
    sentence-transformers. The distances are those of ``EmbedDistillLoss``. What is added: the teacher's vectors stay in
    their file, all columns are one pass of the model, and each column's term is logged.

    Gradients reach the student alone. ``forward`` changes no state.

    Inputs: columns of texts and their translations, and labels ``(B,)``: the rows of ``teacher_vectors`` that belong to
    the texts.

    Args:
        model: The student.
        teacher_vectors: The teacher's vectors, ``(texts, D)``; an array or a file mapped into memory.
        projection: Maps the teacher's vectors to the student's width (`selfsent.counts.principal_directions`);
            ``None`` where the widths are equal.
        options: Options by keyword; see `TeacherMatchingOptions`.

    Raises:
        UserError: Student and teacher differ in width, or the objective is not known; in ``forward``: no labels, or
            labels that are no rows of ``teacher_vectors``.

    Example:
        ```python
        from datasets import Dataset
        from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer

        from selfsent.losses import TeacherMatchingLoss

        teacher = SentenceTransformer("sentence-transformers/all-mpnet-base-v2")
        model = SentenceTransformer("xlm-roberta-base")
        english = ["A cat sleeps on the roof.", "It rained all night."]
        german = ["Eine Katze schläft auf dem Dach.", "Es regnete die ganze Nacht."]
        dataset = Dataset.from_dict({"source": english, "target": german, "label": [0, 1]})
        loss = TeacherMatchingLoss(model, teacher.encode(english))
        trainer = SentenceTransformerTrainer(model=model, train_dataset=dataset, loss=loss)
        trainer.train()
        ```
    """

    teacher_projection: Tensor | None

    @takes_two(_Arguments)
    def __init__(self, model: SentenceTransformer, teacher_vectors: NDArray[np.float32], arguments: _Arguments) -> None:
        super().__init__(model, distance_metric=arguments.objective)
        projection = arguments.projection
        require_same_width(width_of(model), (teacher_vectors if projection is None else projection).shape[1])
        self.teacher_vectors = teacher_vectors
        self.options = arguments.part(TeacherMatchingOptions)
        held = None if projection is None else torch.from_numpy(projection).to(model.device)
        self.register_buffer("teacher_projection", held)

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride] the host's trainer logs the terms of a dictionary
        self, sentence_features: Iterable[Mapping[str, Any]], labels: Tensor | None = None
    ) -> dict[str, Float[Tensor, ""]]:
        """Return the terms of the texts and of their translations, each divided by the number of columns."""
        embeddings = embed_columns(self.model, sentence_features)
        targets = self._targets(labels, like=embeddings[0])
        names = ["source", "target", *(f"target_{number}" for number in range(2, len(embeddings)))]
        return {
            name: self.compute_loss_from_embeddings([rows], [targets]) / len(embeddings)
            for name, rows in zip(names, embeddings, strict=False)
        }

    def _targets(self, labels: Tensor | None, *, like: Tensor) -> Float[Tensor, "B D"]:
        """Look the teacher's vectors up."""
        if labels is None:
            raise UserError("distillation needs labels: the row of each text in the teacher's vectors; got none")
        numbers = labels.cpu().numpy()
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < len(self.teacher_vectors):
            raise UserError(
                f"labels from {numbers.min()} to {numbers.max()} are not all rows of the {len(self.teacher_vectors):,}"
                " vectors of the teacher; compute them for these texts"
            )
        found = torch.from_numpy(np.asarray(self.teacher_vectors[numbers], dtype=np.float32)).to(like.device)
        return (found if self.teacher_projection is None else found @ self.teacher_projection).to(like.dtype)

    def get_config_dict(self) -> dict[str, Any]:
        """Name the settings for the model card."""
        width = None if self.teacher_projection is None else int(self.teacher_projection.shape[1])
        return {**asdict(self.options), "projection": width}

    @property
    def citation(self) -> str:
        """BibTeX entry of the source, for the model card."""
        return MULTILINGUAL_CITATION


MULTILINGUAL_CITATION = """
@inproceedings{reimers-gurevych-2020-making,
    title = "Making Monolingual Sentence Embeddings Multilingual using Knowledge Distillation",
    author = "Reimers, Nils and Gurevych, Iryna",
    booktitle = "Proceedings of the 2020 Conference on Empirical Methods in Natural Language Processing",
    year = "2020",
    url = "https://arxiv.org/abs/2004.09813",
}
"""
