"""A callback that says how far a training is, now and then, where no progress bar is drawn: in a pipe or a log file."""

import logging
import time
from collections.abc import Mapping
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from typing_extensions import override

from selfsent.durations import about
from selfsent.time_limit import TimeLimit

_SECONDS_BETWEEN = 30.0

logger = logging.getLogger(__name__)


class ProgressNotes(TrainerCallback):
    """Writes ``step 120 of 1,000, loss 0.8123, about 3 minutes left``, at most every 30 seconds, on rank 0.

    Args:
        limit: When the run should be over.
    """

    def __init__(self, limit: TimeLimit) -> None:
        self._limit = limit
        self._loss: float | None = None
        self._began = self._told = 0.0
        self._first_step = 0

    @override
    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._began = self._told = time.monotonic()
        self._first_step = state.global_step

    @override
    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self._loss = (logs or {}).get("loss", self._loss)

    @override
    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        now = time.monotonic()
        if not state.is_world_process_zero or now - self._told < _SECONDS_BETWEEN:
            return
        self._told = now
        seconds_a_step = (now - self._began) / (state.global_step - self._first_step)
        left = min(self._limit.seconds_left, seconds_a_step * (state.max_steps - state.global_step))
        loss = "" if self._loss is None else f", loss {self._loss:.4f}"
        logger.info("step %s of %s%s, %s left", f"{state.global_step:,}", f"{state.max_steps:,}", loss, about(left))
