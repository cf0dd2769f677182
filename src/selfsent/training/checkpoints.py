"""The checkpoints of a run: which is the last, and which is the last that is whole."""

import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from transformers.trainer import OPTIMIZER_NAME, SCHEDULER_NAME, TRAINER_STATE_NAME
from transformers.trainer_utils import get_last_checkpoint

from selfsent.errors import UserError
from selfsent.training.fitting import STATE_FILE as FITTING_FILE

_MODULES_FILE = "modules.json"


def last_checkpoint(folder: Path) -> Path | None:
    """The checkpoint of the latest step in ``folder``, or ``None``. A half-written one never has such a name."""
    last = get_last_checkpoint(str(folder)) if folder.is_dir() else None
    return None if last is None else Path(last)


def last_whole_checkpoint(folder: Path, *, is_model_only: bool = False) -> tuple[Path | None, list[str]]:
    """Find the latest checkpoint that a run can be continued from.

    Args:
        folder: Holds ``checkpoint-N`` folders, or nothing.
        is_model_only: Whether they were written without the state of the optimizer (``save_only_model``).

    Returns:
        The checkpoint (``None`` where there is none at all), and why each later one cannot be used.

    Raises:
        UserError: There are checkpoints, but no whole one.
    """
    steps = {path: path.name.removeprefix("checkpoint-") for path in folder.glob("checkpoint-*") if path.is_dir()}
    newest_first = sorted((path for path, step in steps.items() if step.isdigit()), key=_step, reverse=True)
    problems: list[str] = []
    for checkpoint in newest_first:
        problem = damage(checkpoint, is_model_only=is_model_only)
        if problem is None:
            return checkpoint, problems
        problems.append(f"{checkpoint.name} cannot be used: {problem}")
    if problems:
        raise UserError(f"no checkpoint in {folder} is whole ({'; '.join(problems)}); start again with --overwrite")
    return None, []


def damage(checkpoint: Path, *, is_model_only: bool = False) -> str | None:
    """Say which file of a checkpoint, or of the best one that it refers to, is missing or cut; empty if none."""
    if (checkpoint / FITTING_FILE).is_file():  # of a loop of ours, see `selfsent.training.fitting`
        cut = next((file for file in sorted(checkpoint.iterdir()) if not _is_whole(file)), None)
        return cut and f"{cut.name} is cut or damaged"
    needed = [TRAINER_STATE_NAME, *([] if is_model_only else [OPTIMIZER_NAME, SCHEDULER_NAME])]
    problem = _first_damage(checkpoint, needed, checkpoint.rglob("*"))
    if problem is not None:
        return problem
    state: dict[str, Any] = json.loads((checkpoint / TRAINER_STATE_NAME).read_text("utf8"))
    best = checkpoint.with_name(f"checkpoint-{state.get('best_global_step')}")
    if not state.get("best_model_checkpoint") or best == checkpoint:
        return None
    problem = _first_damage(best, [], (file for file in best.rglob("*") if file.suffix in {".json", ".safetensors"}))
    return problem and f"it refers to {best.name}, where {problem}"


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("checkpoint-"))


def _first_damage(checkpoint: Path, needed: Iterable[str], files: Iterable[Path]) -> str | None:
    missing = [name for name in (_MODULES_FILE, *needed) if not (checkpoint / name).is_file()]
    if missing:
        return f"{missing[0]} is missing"
    cut = next((file for file in sorted(files) if file.is_file() and not _is_whole(file)), None)
    return cut and f"{cut.relative_to(checkpoint)} is cut or damaged"


def _is_whole(file: Path) -> bool:
    """Whether a file can be read to its end, for those whose form tells."""
    try:
        if file.suffix == ".json":
            json.loads(file.read_text("utf8"))
        elif file.suffix == ".safetensors":
            with safe_open(file, framework="pt"):
                pass
        elif file.suffix in {".pt", ".pth"}:  # torch writes them as zip archives
            with zipfile.ZipFile(file) as archive:
                return archive.testzip() is None
    except (OSError, ValueError, SafetensorError, zipfile.BadZipFile):
        return False
    return True
