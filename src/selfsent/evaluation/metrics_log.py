"""``metrics.jsonl``: what a training measured, one JSON object a line, the same file however often a run resumes."""

import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from selfsent.atomic import write_text

METRICS_FILE = "metrics.jsonl"
_CLOCK_SUFFIXES = ("_runtime", "_per_second", "total_flos", "train_loss", "_model_preparation_time")
_LOG = logging.getLogger(__name__)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read the whole lines of a metrics file.

    A last line that a kill cut short is left out; damaged lines are left out with a warning.

    Args:
        path: ``metrics.jsonl``; a missing one is empty.
    """
    if not path.is_file():
        return []
    lines = [line for line in path.read_text("utf8", errors="replace").split("\n")[:-1] if line]
    rows = [row for row in map(_row, lines) if row is not None]
    if len(rows) < len(lines):
        _LOG.warning("%s: %d of %d lines are damaged and left out", path, len(lines) - len(rows), len(lines))
    return rows


def _row(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and isinstance(row.get("step"), int) else None


def _json_ready(value: Any) -> Any:
    plain: Any = value.item() if hasattr(value, "item") else value  # a number of numpy's or torch's
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
