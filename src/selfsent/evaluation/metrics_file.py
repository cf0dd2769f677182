"""The lines of ``metrics.jsonl``: what a training measured, one JSON object a line, in the order of the steps."""

import json
import logging
from pathlib import Path
from typing import Any

METRICS_FILE = "metrics.jsonl"
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
