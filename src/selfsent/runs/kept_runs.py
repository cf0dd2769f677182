"""Small files of finished runs of a table: they can be committed, and count as done where the model is not."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfsent.atomic import write_text
from selfsent.errors import UserError
from selfsent.evaluation.metrics_log import METRICS_FILE, read_metrics
from selfsent.training.run_folder import RunFolder

KEPT_FOLDER = "runs"
_PLACES = ("$SELFSENT_DATA", "$SELFSENT_MODELS")
_PROVENANCE = ("commit", "versions", "machine")
_MEASURES = ("loss", "uniformity", "alignment", "effective_rank")
"""What is kept of a training by step, beside the development metric: what can be measured without labels."""


@dataclass(frozen=True, kw_only=True)
class KeptRun:
    """A finished run without its model.

    Args:
        identity: What must stay equal for it to count as done.
        seed: Its seed.
        figures: Metric and value by the name of the column.
        data_hashes: Hashes of what it read.
        curve: By step, the development metric and what was measured without labels beside it.
        provenance: Commit, versions and machine.
    """

    identity: Mapping[str, Any]
    seed: int
    figures: Mapping[str, tuple[str, float]]
    data_hashes: Sequence[str]
    curve: Sequence[Mapping[str, float]] = ()
    provenance: Mapping[str, Any]

    def write(self, path: Path) -> None:
        """Write the file, aside and renamed; one that says the same stays as it is."""
        content = {
            "identity": self.identity,
            "seed": self.seed,
            "figures": {name: list(figure) for name, figure in self.figures.items()},
            "data_hashes": list(self.data_hashes),
            "curve": [dict(point) for point in self.curve],
            **self.provenance,
        }
        text = json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n"
        if not path.is_file() or path.read_text("utf8") != text:
            write_text(path, text)


def kept_run(path: Path) -> KeptRun | None:
    """Read the file of one run; ``None`` where there is none.

    Raises:
        UserError: It is not what a table writes.
    """
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text("utf8"))
        return KeptRun(
            identity=dict(content["identity"]),
            seed=int(content["seed"]),
            figures={name: (str(metric), float(value)) for name, (metric, value) in content["figures"].items()},
            data_hashes=list(content["data_hashes"]),
            curve=[dict(point) for point in content["curve"]],
            provenance={name: content[name] for name in _PROVENANCE if name in content},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} is damaged ({error!r}); restore it, or delete it, and the same command trains that run again"
        ) from error


def finished_run(
    folder: Path, identity: Mapping[str, Any], seed: int, figures: Mapping[str, tuple[str, float]]
) -> KeptRun:
    """Take from the folder of a finished run what is worth keeping without its model.

    Args:
        folder: The folder of the run.
        identity: What it is a run of.
        seed: Its seed.
        figures: What it came to.
    """
    record = RunFolder(folder).record()
    metric = str((record.get("best") or {}).get("metric")).removeprefix("eval_")
    return KeptRun(
        identity=identity,
        seed=seed,
        figures=figures,
        data_hashes=list(record.get("data_hashes", {}).values()),
        curve=_curve(read_metrics(folder / METRICS_FILE), metric),
        provenance=_provenance(record),
    )


def _provenance(record: Mapping[str, Any]) -> dict[str, Any]:
    """Commit, versions and processor; the system that a machine runs changes no figure."""
    found = {name: record[name] for name in _PROVENANCE if name in record}
    if "machine" in found:
        found["machine"] = {name: value for name, value in found["machine"].items() if name != "system"}
    return found


def _curve(rows: Sequence[Mapping[str, Any]], metric: str) -> list[dict[str, float]]:
    """Put together what was measured at a step; steps of which a log has the loss alone are left out."""
    steps: dict[int, dict[str, float]] = {}
    for row in rows:
        values = {metric: row.get(f"eval_{metric}"), **{name: row.get(name) for name in _MEASURES}}
        found = {name: round(float(value), 6) for name, value in values.items() if value is not None}
        steps[row["step"]] = steps.get(row["step"], {}) | found
    return [{"step": step, **found} for step, found in steps.items() if found.keys() - {"loss"}]


def portable(value: Any) -> Any:
    """Name paths below ``$SELFSENT_DATA`` and ``$SELFSENT_MODELS`` by these variables, so that none is a machine's own.

    Args:
        value: JSON values.
    """
    if isinstance(value, Mapping):
        return {key: portable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [portable(inner) for inner in value]
    if not isinstance(value, str):
        return value
    for name in _PLACES:
        folder = Path(os.environ.get(name.removeprefix("$"), "")).expanduser()
        if folder.is_absolute() and folder != Path(folder.anchor):
            value = value.replace(f"{folder}/", f"{name}/")
    return value
