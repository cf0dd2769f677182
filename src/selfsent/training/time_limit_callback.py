"""A callback that ends a training in time, measured and saved."""

import time
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from typing_extensions import override

from selfsent.time_limit import TimeLimit

_NUM_MEASURES = 4


class TimeLimitCallback(TrainerCallback):
    """Ends the host's training in time, measured and saved; measures along the way are a quarter of the limit apart.

    Args:
        limit: When the run should be over.
        has_evaluator: Whether anything is measured.
    """

    def __init__(self, limit: TimeLimit, *, has_evaluator: bool) -> None:
        self._limit = limit
        self._has_evaluator = has_evaluator
        self._step_began = time.monotonic()
        self._slowest = 0.0
        self._measuring_began: float | None = None
        self._next = self._limit.seconds * (1 - 1 / _NUM_MEASURES)

    @override
    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self._measuring_began is not None:  # measuring counts, since the last measure has to end in time too
            self._slowest = max(self._slowest, time.monotonic() - self._measuring_began)
            self._measuring_began = None
        self._step_began = time.monotonic()

    @override
    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        is_last = not self._limit.allows(self._slowest + time.monotonic() - self._step_began)
        if is_last:
            control.should_training_stop = control.should_save = True
        is_due = is_last or self._limit.seconds_left <= self._next
        if is_due and self._has_evaluator:
            control.should_evaluate = control.should_save = True
            self._measuring_began = time.monotonic()
            self._next = self._limit.seconds_left - self._limit.seconds / _NUM_MEASURES
