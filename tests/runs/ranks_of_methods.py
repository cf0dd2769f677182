"""Train one method after another, alone or as one of several ranks, and write down the loss of every step."""

import contextlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from tests.methods.method_cases import CASES
from transformers import DataCollatorForLanguageModeling

from selfsent.ranks import num_ranks
from selfsent.runs.train import train

NUM_STEPS = 3
BATCH_SIZE = 8
_LEAF = {"leaf_dropout": 0.0}
_TREE = {**_LEAF, "composition_dropout": 0.0, "decomposition_dropout": 0.0}
WITHOUT_DROPOUT: Mapping[str, Mapping[str, Any]] = {
    **dict.fromkeys(("self-strae", "strae", "tree-lstm", "iornn", "banyan"), _TREE),
    "bi-lstm": _LEAF,
}
"""Options that keep ranks from drawing numbers of their own; the transformers of the tests have no dropout."""

VARIANTS: Mapping[str, tuple[str, Mapping[str, Any], Mapping[str, Any]]] = {
    "self-strae, cross-entropy": ("self-strae", {"objective": "cross-entropy"}, {}),
    "sct, accumulated, in bfloat16": ("sct", {}, {"gradient_accumulation_steps": 2, "bf16": True}),
    "simcse, accumulated": ("simcse", {}, {"gradient_accumulation_steps": 2}),
}
EVALUATED = {"self-strae", "simcse", "sct", "sarcse", "multilingual"}
"""Runs that also measure rows held out, save checkpoints and keep the best; the others leave that out to be quick."""

"""Further runs: the method, options beside its case's, and training arguments."""


def trained(folder: Path, name: str) -> list[float] | str:
    """Train a case and give its losses, or what went wrong."""
    method, more, arguments = VARIANTS.get(name, (name, {}, {}))
    case = CASES[method]
    training: dict[str, Any] = {
        "max_steps": NUM_STEPS,
        "per_device_train_batch_size": BATCH_SIZE // num_ranks(),
        "logging_steps": 1,
        "dataloader_drop_last": True,
        **({"use_cpu": True} if num_ranks() == 1 else {}),  # bfloat16 wants it said; ranks are to find out
        **({} if name in EVALUATED else {"best": "none", "save_strategy": "no"}),
        **arguments,
    }
    options = {**case.options, **WITHOUT_DROPOUT.get(method, {}), **more}
    if case.base is not None:
        options["base"] = "static" if method == "multilingual" else str(folder / case.base)
    if case.has_teacher:
        options["teacher"] = str(folder / "static")
    output = folder / f"{name}-of-{num_ranks()}"
    try:
        train(method, folder / f"{method}.jsonl", output, training=training, **options)
    except Exception as error:  # noqa: BLE001 the test says what it was
        return f"{type(error).__name__}: {error}"
    lines = map(json.loads, (output / "metrics.jsonl").read_text().splitlines())
    return [line["loss"] for line in lines if "loss" in line]


def _every_third_token(_: Any, ids: torch.Tensor, special: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mask tokens by their ids, so that one process masks what two ranks mask."""
    chosen = (ids % 3 == 0) & ~special
    return torch.where(chosen, 0, ids), torch.where(chosen, ids, -100)


if __name__ == "__main__":
    place, answer, *names = sys.argv[1:]
    with contextlib.ExitStack() as patches:
        patches.enter_context(
            mock.patch.object(DataCollatorForLanguageModeling, "torch_mask_tokens", _every_third_token)
        )
        Path(answer).write_text(json.dumps({name: trained(Path(place), name) for name in names}))
