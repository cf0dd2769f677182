"""An evaluator that picks the best checkpoint by the suite `own-documents`, for training without labels."""

import logging
from collections.abc import Sequence
from typing import Any

from sentence_transformers.base.evaluation import BaseEvaluator

from selfsent.evaluation.document_scores import CosineScores, DocumentQuestions
from selfsent.evaluation.sentence_vectors import CollapsedEmbeddingsError, remembering
from selfsent.evaluation.tasks.own_documents import score_part

METRIC = "own_documents"

_LOG = logging.getLogger(__name__)


class OwnDocumentsEvaluator(BaseEvaluator):
    """Follows a training by how well parts of held-out documents find the rest.

    It returns ``own_documents``, the mean nDCG@10 over the parts, and that of each part, as fractions. A model that
    gives every text the same embedding scores 0 with a warning, so that a training can recover; NaN stops it.

    Args:
        tasks: Queries and the documents that answer them (`own_document_tasks`).
        batch_size: Texts encoded at once.
    """

    def __init__(self, tasks: Sequence[DocumentQuestions], *, batch_size: int = 64) -> None:
        super().__init__()
        self.tasks = list(tasks)
        self.batch_size = batch_size
        self.primary_metric = METRIC

    def __call__(
        self,
        model: Any,
        output_path: str | None = None,  # noqa: ARG002 the host's signature
        epoch: int = -1,
        steps: int = -1,
    ) -> dict[str, float]:
        """Score the model as it is now; writes no file, the trainer keeps the metrics."""
        scorer = CosineScores(model, batch_size=self.batch_size)
        try:
            with remembering():
                values = {task.name: score_part(scorer, task, num_resamples=1).value for task in self.tasks}
        except CollapsedEmbeddingsError as error:
            _LOG.warning("own-documents at step %d: %s (counted as 0)", steps, error)
            values = dict.fromkeys((task.name for task in self.tasks), 0.0)
        metrics = {f"{METRIC}_{name.replace(' ', '_')}": value for name, value in values.items()}
        metrics = {METRIC: sum(values.values()) / len(values), **metrics}
        self.store_metrics_in_model_card_data(model, metrics, epoch, steps)
        return metrics
