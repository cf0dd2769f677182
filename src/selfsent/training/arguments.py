"""The arguments of the trainer from a person's settings: checked field by field, with defaults for a small machine."""

import dataclasses
import difflib
import importlib.util
import math
import re
import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

import torch
from sentence_transformers import SentenceTransformerTrainingArguments
from torch import nn

from selfsent.errors import UserError, did_you_mean
from selfsent.options import WHOLE_RANGE, is_number, is_whole_number, shortened

_NUM_CHECKPOINTS_PER_RUN = 10
_NUM_LOGS_PER_RUN = 100
_MAX_STEPS_BETWEEN_CHECKPOINTS = 500
_POSITIVE = ("learning_rate", "num_train_epochs", "per_device_train_batch_size", "gradient_accumulation_steps")
_NOT_NEGATIVE = ("weight_decay", "adam_epsilon", "warmup_steps", "warmup_ratio")
_BELOW_ONE = ("adam_beta1", "adam_beta2")
BEST = "best"
"""An argument of ours beside the host's: how the best checkpoint is found, see `selfsent.runs.run_data`."""

_DECIDED_BY_THE_RUN = {"output_dir", "seed", "data_seed", "logging_nan_inf_filter"}


def argument_names() -> list[str]:
    """The fields of the host's training arguments that ``training.KEY=VALUE`` may set."""
    fields = dataclasses.fields(SentenceTransformerTrainingArguments)
    names = (field.name for field in fields if field.init and field.name not in _DECIDED_BY_THE_RUN)
    return sorted([*names, BEST])


def _check_names(overrides: Mapping[str, Any]) -> None:
    known = argument_names()
    for name in overrides:
        if name in _DECIDED_BY_THE_RUN:
            raise UserError(f"training.{name} is decided by the run itself; use --seed or --output, or leave it out")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3)
            fields = "see SentenceTransformerTrainingArguments of sentence-transformers"
            hint = f"did you mean {', '.join(near)}?" if near else fields
            raise UserError(f"training.{name} is not an argument of the trainer; {hint}")


def _check_values(overrides: Mapping[str, Any]) -> None:
    hints = get_type_hints(SentenceTransformerTrainingArguments)
    for name, value in overrides.items():
        needed = _needed(name, value, hints[name]) or _needed_choice(value, hints[name])
        if needed:
            raise UserError(f"training.{name} must be {needed}, got {shortened(value)}")


def _needed_choice(value: Any, hint: Any) -> str:
    """Which of the host's choices an argument needs to be; nothing where it is one, or need not be."""
    kinds = [kind for kind in get_args(hint) or [hint] if isinstance(kind, type) and issubclass(kind, Enum)]
    known = [str(one.value) for kind in kinds for one in kind]
    if not known or not isinstance(value, str) or value in known:
        return ""
    return f"one of {', '.join(known)}{did_you_mean(value, known)}"


def _needed(name: str, value: Any, hint: Any) -> str:
    """What kind of number an argument needs to be; nothing where it is one, or need not be a number."""
    kinds = set(get_args(hint)) or {hint}
    if not kinds <= {int, float, NoneType} or (value is None and NoneType in kinds):
        return ""
    number = float(value) if value is not None and is_number(value) else math.nan
    is_finite = abs(number) < math.inf
    if name in _POSITIVE and not (is_finite and number > 0):
        return "a finite number above 0"
    if name in _NOT_NEGATIVE and not (is_finite and number >= 0):
        return "a finite number of 0 or more"
    if name in _BELOW_ONE and not 0 <= number < 1:
        return "a number from 0 to below 1"
    if int in kinds and not is_whole_number(value):
        return f"a whole number {WHOLE_RANGE}"
    return "" if is_finite else "a finite number"


def check_arguments(overrides: Mapping[str, Any]) -> None:
    """Check a person's training arguments, before any data is read.

    Args:
        overrides: Fields of the host's training arguments, ``best`` among them.

    Raises:
        UserError: A field is not known (the nearest are named), or a value is not of its kind.
    """
    overrides = {name: value for name, value in overrides.items() if name != BEST}
    _check_names(overrides)
    _check_values(overrides)


def num_training_steps(overrides: Mapping[str, Any], num_rows: int, num_ranks: int = 1) -> int:
    """Count the optimizer steps a run will take.

    Args:
        overrides: Fields of the host's training arguments.
        num_rows: Rows of the training data.
        num_ranks: Processes that train together.
    """
    max_steps = int(overrides.get("max_steps", -1))
    if max_steps > 0:
        return max_steps
    rows_per_batch = int(overrides.get("per_device_train_batch_size", 8)) * num_ranks
    is_last_dropped = bool(overrides.get("dataloader_drop_last", num_ranks > 1))
    num_batches = num_rows // rows_per_batch if is_last_dropped else math.ceil(num_rows / rows_per_batch)
    steps_per_epoch = max(1, math.ceil(num_batches / int(overrides.get("gradient_accumulation_steps", 1))))
    return math.ceil(steps_per_epoch * float(overrides.get("num_train_epochs", 3)))


def _defaults(num_steps: int, *, has_evaluator: bool) -> dict[str, Any]:
    interval = max(1, min(_MAX_STEPS_BETWEEN_CHECKPOINTS, num_steps // _NUM_CHECKPOINTS_PER_RUN))
    defaults: dict[str, Any] = {
        "report_to": "none",
        "save_strategy": "steps",
        "save_steps": interval,
        "save_total_limit": 2,
        "logging_strategy": "steps",
        "logging_steps": max(1, min(interval, num_steps // _NUM_LOGS_PER_RUN)),
        "dataloader_pin_memory": torch.accelerator.is_available(),
        "disable_tqdm": not sys.stderr.isatty(),
    }
    if has_evaluator:
        defaults |= {"eval_strategy": "steps", "eval_steps": interval, "load_best_model_at_end": True}
    return defaults


def _following(overrides: Mapping[str, Any], *, has_evaluator: bool) -> dict[str, Any]:
    """Settings that follow from a person's: checkpoints are where evaluations are, so that the best one is on disk."""
    following: dict[str, Any] = {}
    if has_evaluator and "eval_steps" in overrides and "save_steps" not in overrides:
        following["save_steps"] = overrides["eval_steps"]
    if has_evaluator and "save_steps" in overrides and "eval_steps" not in overrides:
        following["eval_steps"] = overrides["save_steps"]
    for one, other in (("eval_strategy", "save_strategy"), ("save_strategy", "eval_strategy")):
        if has_evaluator and one in overrides and other not in overrides:
            following[other] = overrides[one]
    if str(overrides.get("eval_strategy", following.get("eval_strategy", ""))) == "no":
        following["load_best_model_at_end"] = False
    return following


def training_arguments(
    overrides: Mapping[str, Any], *, output_dir: Path, seed: int, num_steps: int, has_evaluator: bool
) -> SentenceTransformerTrainingArguments:
    """Build the host's training arguments.

    Args:
        overrides: Fields a person or recipe sets; they win over every default here.
        output_dir: The folder of checkpoints.
        seed: Seeds weights drawn from now on, dropout and the order of the data.
        num_steps: Optimizer steps of the whole run; decides how often to log and to save.
        has_evaluator: Whether to evaluate along the way and keep the best model.

    Returns:
        The arguments, checked by the host.

    Raises:
        UserError: An unknown field (with the nearest known ones), or a value the host refuses.
    """
    check_arguments(overrides)
    overrides = {name: value for name, value in overrides.items() if name != BEST}
    chosen = _defaults(num_steps, has_evaluator=has_evaluator) | _following(overrides, has_evaluator=has_evaluator)
    chosen |= overrides
    try:
        return SentenceTransformerTrainingArguments(output_dir=str(output_dir), seed=seed, data_seed=seed, **chosen)
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"sentence-transformers refuses these training arguments: {reason}; correct training.KEY=VALUE"
        ) from error


def check_learning_rate_mapping(mapping: Mapping[str, float], loss: nn.Module) -> None:
    """Refuse a learning rate for weights that the model does not have; the host would stop at its first step.

    Raises:
        UserError: A pattern is not a regular expression, or matches no name of a weight of model or loss; or a rate is
            not a finite number of 0 or more.
    """
    names = [name for name, _ in loss.named_parameters()]
    for pattern, rate in mapping.items():
        if not (is_number(rate) and 0 <= rate < math.inf):
            raise UserError(
                f"training.learning_rate_mapping: the rate of {pattern!r} must be a finite number of 0 or more, got"
                f" {shortened(rate)}"
            )
        try:
            is_met = any(re.search(pattern, name) for name in names)
        except re.error as error:
            raise UserError(
                f"training.learning_rate_mapping: {pattern!r} must be a regular expression: {error}"
            ) from error
        if not is_met:
            raise UserError(
                f"training.learning_rate_mapping: {pattern!r} matches none of the {len(names)} weights, such as"
                f" {', '.join(names[:1] + names[-1:])}; correct the pattern, or leave it out"
            )


TRACKERS = {"tensorboard": "tensorboard", "trackio": "trackio", "wandb": "wandb"}
"""The trackers by their name, and the package that each one needs. The host knows more."""

_NO_TRACKERS = {"none", "all"}


def require_trackers(names: str | Sequence[str] | None) -> None:
    """Refuse trackers that are not known or not installed.

    Args:
        names: Name or names, as the host's ``report_to`` takes them.

    Raises:
        UserError: The host has no such tracker, or its package is not installed.
    """
    wanted = [names] if isinstance(names, str) else list(names or ())
    for name in wanted:
        if name in _NO_TRACKERS:
            continue
        known = _known_to_the_host()
        if name not in known:
            near = did_you_mean(name, known)
            raise UserError(f"--report-to must be a tracker, got {name!r}{near}; known are {', '.join(TRACKERS)}")
        package = TRACKERS.get(name)
        if package is not None and importlib.util.find_spec(package) is None:
            raise UserError(f"--report-to {name} needs the package {package}: `pip install {package}`")


def _known_to_the_host() -> Sequence[str]:
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK  # noqa: PLC0415 takes a second

    return list(INTEGRATION_TO_CALLBACK)
