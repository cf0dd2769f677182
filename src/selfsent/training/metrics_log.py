"""``metrics.jsonl``: one JSON object a line for all that is measured; the same file however often a run resumes."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from typing_extensions import override

from selfsent.atomic import write_text
from selfsent.evaluation.metrics_file import read_metrics

_CLOCK_SUFFIXES = ("_runtime", "_per_second", "total_flos", "train_loss", "_model_preparation_time")


def _json_ready(value: Any) -> Any:
    plain: Any = value.item() if isinstance(value, np.generic | torch.Tensor) else value
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain


class MetricsLog:
    """Appends measurements to ``metrics.jsonl``, each line on disk before training goes on.

    Clock readings are left out: the file of a resumed run is equal, byte by byte, to that of an uninterrupted one.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.latest: dict[str, Any] = {}

    def begin(self, step: int) -> None:
        """Forget the lines behind ``step``, which will be written again; step 0 begins an empty file."""
        kept = [row for row in read_metrics(self.path) if row["step"] <= step] if step > 0 else []
        write_text(self.path, "".join(json.dumps(row) + "\n" for row in kept))
        self.latest = {}
        for row in kept:
            self.latest |= row

    def write(self, step: int, epoch: float | None, metrics: Mapping[str, Any]) -> None:
        """Append one line: ``step``, ``epoch``, then the metrics (a value that is not finite becomes ``null``)."""
        kept = {name: _json_ready(value) for name, value in metrics.items() if not name.endswith(_CLOCK_SUFFIXES)}
        row = {"step": step, "epoch": epoch} | {name: value for name, value in kept.items() if name != "epoch"}
        if len(row) > len(("step", "epoch")):
            self.latest |= row
            with self.path.open("a", encoding="utf8") as stream:
                stream.write(json.dumps(row) + "\n")


class MetricsCallback(TrainerCallback):
    """Writes what the host's trainer logs (losses, learning rate, evaluations) to a ``MetricsLog``, on rank 0.

    Args:
        log: Where to write.
    """

    def __init__(self, log: MetricsLog) -> None:
        self.log = log

    @override
    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if state.is_world_process_zero:
            self.log.begin(state.global_step)

    @override
    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if state.is_world_process_zero and logs:
            self.log.write(state.global_step, state.epoch, logs)
