"""The loss on rows kept out of training: the evaluator of a run that has no labelled data."""

from typing import Any, cast

import torch
from datasets import Dataset
from sentence_transformers.base.evaluation import BaseEvaluator
from sentence_transformers.util import batch_to_device
from torch import nn


class HeldoutLoss(BaseEvaluator):
    """Follows a training by its own objective on rows it does not train on, without dropout.

    It returns ``heldout_loss``, the mean over batches; lower is better. Randomness is not touched, neither model nor
    loss is changed.

    Args:
        loss: The objective.
        dataset: The rows kept out, texts in every column.
        batch_size: Rows a batch; in-batch objectives are comparable at equal sizes only. A last partial batch is left
            out unless it is the only one.
        max_seq_length: Tokens a text is cut to, as in training; ``None``: as many as the model reads.
    """

    def __init__(
        self, *, loss: nn.Module, dataset: Dataset, batch_size: int, max_seq_length: int | None = None
    ) -> None:
        super().__init__()
        self.loss = loss
        self.dataset = dataset
        self.batch_size = batch_size
        self._limit = {} if max_seq_length is None else {"max_length": max_seq_length}
        self.greater_is_better = False
        self.primary_metric = "heldout_loss"

    def __call__(
        self,
        model: Any,
        output_path: str | None = None,  # noqa: ARG002 the host's signature
        epoch: int = -1,
        steps: int = -1,
    ) -> dict[str, float]:
        """Compute the loss as the model is now."""
        was_training = self.loss.training, model.training
        self.loss.eval()
        model.eval()
        with torch.no_grad():
            values = [self._batch(model, start) for start in self._starts()]
        self.loss.train(was_training[0])
        model.train(was_training[1])
        metrics = {self.primary_metric or "heldout_loss": sum(values) / len(values)}
        self.store_metrics_in_model_card_data(model, metrics, epoch, steps)
        return metrics

    def _starts(self) -> range:
        return range(0, max(len(self.dataset) - self.batch_size + 1, 1), self.batch_size)

    def _batch(self, model: Any, start: int) -> float:
        rows = cast("dict[str, list[str]]", self.dataset[start : start + self.batch_size])
        features = [batch_to_device(model.preprocess(texts, **self._limit), model.device) for texts in rows.values()]
        loss = self.loss(features, None)
        return float(sum(loss.values())) if isinstance(loss, dict) else float(loss)
