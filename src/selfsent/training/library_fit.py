"""Runs whose training is a library's own: the same folder, record and measures, without the host's trainer."""

import datetime as dt
import logging
import os
import time
from collections.abc import Mapping
from typing import Any

from datasets import Dataset
from sentence_transformers import SentenceTransformer
from torch import nn

from selfsent.errors import UserError
from selfsent.loading import load, model_content_hash
from selfsent.training.metrics_log import MetricsLog
from selfsent.training.model_card import keep_data_out_of_card
from selfsent.training.provenance import provenance
from selfsent.training.run import RunPlan
from selfsent.training.run_folder import RunFolder, resumable
from selfsent.training.run_identity import identity

logger = logging.getLogger(__name__)


class LibraryFit(nn.Module):
    """What a method gives for its loss where a library trains the model by itself, in one go."""

    arguments: frozenset[str] = frozenset()
    """The fields of the host's training arguments that it follows."""

    def fit(self, dataset: Dataset, arguments: Mapping[str, Any], *, seed: int) -> int:
        """Train the model.

        Args:
            dataset: The rows to train on.
            arguments: Fields of the host's training arguments.
            seed: Of the run.

        Returns:
            Tokens seen, over all epochs.
        """
        raise NotImplementedError


def train_by_library(plan: RunPlan, fit: LibraryFit) -> SentenceTransformer:
    """Train as planned and leave a model folder, as `selfsent.training.run.train` does: model, metrics, ``run.json``.

    It is measured once, at the end. A run that was killed starts anew: there are no checkpoints.

    Args:
        plan: What to train, on what, and where to.
        fit: Its objective.

    Returns:
        The trained model, as saved.

    Raises:
        UserError: The plan cannot be run: settings, data, output folder, or several processes.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError("this method trains in one process; start it without torchrun")
    folder = RunFolder(plan.output_dir)
    this_run = identity(plan.recipe, plan.arguments, plan.seed, plan.data_hashes)
    with folder.sole_writer():
        start = folder.begin(this_run, resume=plan.resume, overwrite=plan.overwrite)
        if start.note:
            logger.warning(start.note)
        if start.kind == "finished":
            return load(folder.path)
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        record = {"status": "running", "started_at": now, **this_run, "sources": list(plan.sources), **provenance()}
        folder.write_record(record)
        with resumable(folder):
            _finish(plan, folder, record, _fitted(plan, fit, folder))
    return plan.model


def _fitted(plan: RunPlan, fit: LibraryFit, folder: RunFolder) -> dict[str, Any]:
    """Train and measure; return what ``run.json`` says of it."""
    unused = sorted(plan.arguments.keys() - fit.arguments - {"use_cpu"})
    if unused:
        logger.info("of the trainer's arguments %s are not used here", ", ".join(unused))
    if not isinstance(plan.train_dataset, Dataset):
        raise UserError("this method reads its data several times and takes no stream")
    began = time.monotonic()
    num_tokens = fit.fit(plan.train_dataset, plan.arguments, seed=plan.seed)
    training_seconds = time.monotonic() - began
    plan.model.eval()
    measured: Any = {} if plan.evaluator is None else plan.evaluator(plan.model)
    metrics = {f"eval_{name}": value for name, value in measured.items()}
    log = MetricsLog(folder.metrics_path)
    log.begin(0)
    log.write(0, None, metrics)
    results: dict[str, Any] = {"num_tokens_seen": num_tokens, "metrics": metrics}
    if plan.evaluator is not None and plan.evaluator.primary_metric:
        name = f"eval_{plan.evaluator.primary_metric}"
        results["best"] = {"metric": name, "value": float(metrics[name]), "step": 0}
    return results | {
        "seconds": round(time.monotonic() - began, 3),
        "training_seconds": round(training_seconds, 3),
        "tokens_per_second": round(num_tokens / max(training_seconds, 1e-9), 1),
    }


def _finish(plan: RunPlan, folder: RunFolder, record: Mapping[str, Any], results: Mapping[str, Any]) -> None:
    keep_data_out_of_card(plan.model)
    files = folder.install(plan.model, {**record, **results})
    written = {"files": files, "model_hash": model_content_hash(folder.path), "status": "finished"}
    folder.write_record({**record, **results, **written})
