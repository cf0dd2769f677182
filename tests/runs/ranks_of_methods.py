"""Train one method after another, alone or as one of several ranks, and write down the loss of every step."""

import json
import sys
from pathlib import Path
from typing import Any

from tests.methods.method_cases import CASES

from selfsent.ranks import num_ranks
from selfsent.runs.train import train

NUM_STEPS = 3
BATCH_SIZE = 8


def trained(folder: Path, method: str) -> list[float] | str:
    """Train a case and give its losses, or what went wrong."""
    case = CASES[method]
    training: dict[str, Any] = {
        "max_steps": NUM_STEPS,
        "per_device_train_batch_size": BATCH_SIZE // num_ranks(),
        "logging_steps": 1,
        "dataloader_drop_last": True,
        "use_cpu": True,
    }
    options = dict(case.options)
    if case.base is not None:
        options["base"] = "static" if method == "multilingual" else str(folder / case.base)
    if case.has_teacher:
        options["teacher"] = str(folder / "static")
    output = folder / f"{method}-of-{num_ranks()}"
    try:
        train(method, folder / f"{method}.jsonl", output, training=training, **options)
    except Exception as error:  # noqa: BLE001 the test says what it was
        return f"{type(error).__name__}: {error}"
    lines = map(json.loads, (output / "metrics.jsonl").read_text().splitlines())
    return [line["loss"] for line in lines if "loss" in line]


if __name__ == "__main__":
    place, answer, *methods = sys.argv[1:]
    Path(answer).write_text(json.dumps({method: trained(Path(place), method) for method in methods}))
