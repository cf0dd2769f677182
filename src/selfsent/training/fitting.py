"""What a training with a loop of its own needs: measures along the way, checkpoints, the best one kept."""

import json
import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer
from sentence_transformers.base.evaluation import BaseEvaluator

from selfsent.evaluation.metrics_log import MetricsLog
from selfsent.time_limit import TimeLimit

STATE_FILE = "fitting.json"
"""Files that a checkpoint of such a loop holds beside what the loop saves."""
_PREFIX = "checkpoint-"
_WRITING_FOLDER = ".writing"

logger = logging.getLogger(__name__)


class Fitting:
    """One training: its arguments, and where it measures and saves.

    Args:
        model: The model in training.
        arguments: Fields of the host's training arguments.
        seed: Random seed of the run.
        evaluator: Measures the model; ``None`` keeps the last state.
        log: Where metrics go.
        checkpoints: Folder of checkpoints.
        checkpoint: The one to continue from; ``None`` starts at the beginning.
        limit: When the training should be over; ``None``: no limit.
    """

    def __init__(
        self,
        *,
        model: SentenceTransformer,
        arguments: Mapping[str, Any],
        seed: int,
        evaluator: BaseEvaluator | None,
        log: MetricsLog,
        checkpoints: Path,
        checkpoint: Path | None,
        limit: TimeLimit | None = None,
    ) -> None:
        self.model = model
        self.arguments = arguments
        self.seed = seed
        self.limit = limit or TimeLimit()
        self.tolerance = 0.0
        self.values: dict[int, float] = {}
        self.metrics: dict[str, float] = {}
        self._evaluator = evaluator
        self._log = log
        self._checkpoints = checkpoints
        self._checkpoint = checkpoint

    @property
    def best_step(self) -> int | None:
        """The last step whose measure is within ``tolerance`` of the best; ``None`` where nothing was measured."""
        if not self.values or self._evaluator is None:
            return None
        sign = 1 if self._evaluator.greater_is_better else -1
        best = max(sign * value for value in self.values.values())
        return max(step for step, value in self.values.items() if sign * value >= best - self.tolerance)

    @property
    def has_measured(self) -> bool:
        """Whether anything was logged."""
        return bool(self._log.latest)

    def begin(self) -> None:
        """Forget what an earlier run has logged."""
        self._log.begin(0)

    def resume(self, load: Callable[[Path], None]) -> bool:
        """Load the checkpoint to continue from; tell whether there was one."""
        if self._checkpoint is None:
            self.begin()
            return False
        load(self._checkpoint)
        state = json.loads((self._checkpoint / STATE_FILE).read_text("utf8"))
        self.values = {int(step): value for step, value in state["values"].items()}
        self.metrics = state["metrics"]
        self._log.begin(max(self.values, default=0))
        return True

    def measure(self, step: int, metrics: Mapping[str, float], *, model: SentenceTransformer | None = None) -> None:
        """Measure the model as it is now, and log that with other metrics.

        Args:
            step: How far the training is, in its own unit.
            metrics: What else is known, such as the loss.
            model: What to measure instead, where something faster gives the same vectors.
        """
        found = dict(metrics)
        if self._evaluator is not None:
            measured: Any = self._evaluator(model or self.model)
            self.metrics = {f"eval_{name}": float(value) for name, value in measured.items()}
            self.values[step] = float(measured[self._evaluator.primary_metric])
            found |= self.metrics
        self._log.write(step, float(step), found)
        if found:
            logger.info("epoch %d: %s", step, ", ".join(f"{name} {value:.4f}" for name, value in found.items()))

    def has_stalled(self, step: int, *, patience: int) -> bool:
        """Tell whether the last ``patience`` measures, the one at ``step`` included, were all below the best."""
        return self.best_step is not None and step - self.best_step >= patience

    def save(self, step: int, save: Callable[[Path], None]) -> None:
        """Write a checkpoint aside and rename it; only it, the best one and the start are kept.

        Args:
            step: Its step.
            save: Writes the state into a folder.
        """
        aside = self._checkpoints / _WRITING_FOLDER
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        save(aside)
        (aside / STATE_FILE).write_text(json.dumps({"values": self.values, "metrics": self.metrics}), "utf8")
        final = self._checkpoints / f"{_PREFIX}{step}"
        shutil.rmtree(final, ignore_errors=True)
        aside.replace(final)
        kept = {final.name, f"{_PREFIX}{self.best_step}", f"{_PREFIX}0"}
        for folder in self._checkpoints.glob(f"{_PREFIX}*"):
            if folder.name not in kept:
                shutil.rmtree(folder)

    def restore_best(self, load: Callable[[Path], None]) -> None:
        """Load the best checkpoint, where something was measured, and give its metrics for the model's."""
        if self.best_step is not None:
            folder = self._checkpoints / f"{_PREFIX}{self.best_step}"
            load(folder)
            self.metrics = json.loads((folder / STATE_FILE).read_text("utf8"))["metrics"]
