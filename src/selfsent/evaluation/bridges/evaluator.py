"""Evaluation during training: the suites as evaluators of sentence-transformers."""

import logging
from pathlib import Path
from typing import Any

from sentence_transformers.base.evaluation import BaseEvaluator

from selfsent.evaluation.sentence_vectors import CollapsedEmbeddingsError
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.suites import evaluate
from selfsent.evaluation.tasks.sts import ScoredPairs, read_pairs, score_tasks

_LOG = logging.getLogger(__name__)


class PairsEvaluator(BaseEvaluator):
    """Follows a training by the rank correlation on scored pairs: the cheap evaluation that picks the best checkpoint.

    It returns ``{name}_spearman`` and ``{name}_pearson``, as fractions. A model that gives every sentence the same
    embedding scores 0 with a warning, so that a training can recover; NaN stops it.

    Args:
        pairs: The pairs, such as ``read_pairs(data_dir, "STSBenchmark", "dev")``.
        name: What to call the metrics.
        batch_size: Texts encoded at once.
    """

    def __init__(self, *, pairs: ScoredPairs, name: str, batch_size: int = 64) -> None:
        super().__init__()
        self.pairs = pairs
        self.name = name
        self.options = SuiteOptions(batch_size=batch_size, num_resamples=1)
        self.primary_metric = f"{name}_spearman"

    @classmethod
    def of_sts_dev(cls, data_dir: str | Path, *, batch_size: int = 64) -> "PairsEvaluator":
        """Make the evaluator of the dev split of the STS benchmark, ``sts_dev_spearman``.

        Args:
            data_dir: Folder with ``sts/STSBenchmark/dev.jsonl``.
            batch_size: Texts encoded at once.

        Raises:
            UserError: The file is missing or wrong.
        """
        return cls(pairs=read_pairs(Path(data_dir), "STSBenchmark", "dev"), name="sts_dev", batch_size=batch_size)

    def __call__(
        self,
        model: Any,
        output_path: str | None = None,  # noqa: ARG002 the host's signature
        epoch: int = -1,
        steps: int = -1,
    ) -> dict[str, float]:
        """Score the model as it is now; writes no file, the trainer keeps the metrics."""
        try:
            score = score_tasks(model, [self.pairs], self.options)[0]
            metrics = {"spearman": score.value, "pearson": float(score.also["pearson"])}
        except CollapsedEmbeddingsError as error:
            _LOG.warning("%s at step %d: %s (counted as 0)", self.name, steps, error)
            metrics = {"spearman": 0.0, "pearson": 0.0}
        named = self.prefix_name_to_metrics(metrics, self.name)
        self.store_metrics_in_model_card_data(model, named, epoch, steps)
        return named


class SuiteEvaluator(BaseEvaluator):
    """Runs whole suites during a training, on the dev split by default.

    It returns ``{task}_{metric}`` for every task and ``{average}`` for every average, as fractions; the primary metric
    is the first task's.

    Args:
        suites: Names of suites, with commas between them.
        data_dir: Folder of the evaluation data; ``None`` for the hub.
        options: The settings of the protocol.
    """

    def __init__(
        self, *, suites: str = "sts", data_dir: str | Path | None, options: SuiteOptions | None = None
    ) -> None:
        super().__init__()
        self.suites = suites
        self.data_dir = data_dir
        self.options = options or SuiteOptions(split="dev", num_resamples=1)

    def __call__(
        self,
        model: Any,
        output_path: str | None = None,  # noqa: ARG002 the host's signature
        epoch: int = -1,
        steps: int = -1,
    ) -> dict[str, float]:
        """Score the model as it is now; writes no file, the trainer keeps the metrics."""
        report = evaluate(model, self.suites, self.data_dir, options=self.options)
        metrics = {f"{score.task}_{score.metric.name}": score.value for score in report.scores}
        self.primary_metric = self.primary_metric or next(iter(metrics))
        metrics |= report.means()
        self.store_metrics_in_model_card_data(model, metrics, epoch, steps)
        return metrics
