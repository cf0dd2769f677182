"""Runs whose training is a loop of its own or of a library: the same folder, record and measures as any other."""

import datetime as dt
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datasets import Dataset
from sentence_transformers import SentenceTransformer
from torch import nn

from selfsent.errors import UserError
from selfsent.evaluation.metrics_log import MetricsLog
from selfsent.loading import load, model_content_hash
from selfsent.provenance import provenance
from selfsent.ranks import num_ranks
from selfsent.training.arguments import BEST
from selfsent.training.fitting import Fitting
from selfsent.training.model_card import keep_data_out_of_card
from selfsent.training.run import RunPlan
from selfsent.training.run_folder import RunFolder, resumable

logger = logging.getLogger(__name__)


class LibraryFit(nn.Module):
    """What a method gives for its loss where it, or a library, trains the model without the host's trainer."""

    arguments: frozenset[str] = frozenset()
    """The fields of the host's training arguments that it follows."""

    def fit(self, dataset: Dataset, fitting: Fitting) -> int:
        """Train the model.

        Args:
            dataset: The rows to train on.
            fitting: Arguments and seed, and what measures and saves along the way, where it does.

        Returns:
            Tokens seen, over all epochs.
        """
        raise NotImplementedError


def train_by_library(plan: RunPlan, fit: LibraryFit) -> SentenceTransformer:
    """Train as planned and leave a model folder, as `selfsent.training.engine.train` does.

    It is measured once, at the end, and a run that was killed starts anew, unless ``fit`` measures and saves along the
    way.

    Args:
        plan: What to train, on what, and where to.
        fit: Its objective.

    Returns:
        The trained model, as saved.

    Raises:
        UserError: The plan cannot be run: settings, data, output folder, or several processes.
    """
    if num_ranks() > 1:
        raise UserError("this method trains in one process; start it without torchrun")
    folder = RunFolder(plan.run.folder)
    with folder.sole_writer():
        start = folder.begin(plan)
        if start.note:
            logger.warning(start.note)
        if start.kind == "finished":
            return load(folder.path)
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        record = {"status": "running", "started_at": now, **plan.identity, "sources": plan.notes, **provenance()}
        folder.write_record(record)
        with resumable(folder):
            _finish(plan, folder, record, _fitted(plan, fit, folder, start.checkpoint))
    return plan.built.model


def _fitted(plan: RunPlan, fit: LibraryFit, folder: RunFolder, checkpoint: Path | None) -> dict[str, Any]:
    """Train and measure; return what ``run.json`` says of it."""
    unused = sorted(plan.run.arguments.keys() - fit.arguments - {"use_cpu", BEST})
    if unused:
        logger.info("these arguments of the trainer are not used by this method: %s", ", ".join(unused))
    fitting = Fitting(
        model=plan.built.model,
        arguments=plan.run.arguments,
        seed=plan.run.seed,
        evaluator=plan.evaluator,
        log=MetricsLog(folder.metrics_path),
        checkpoints=folder.checkpoints,
        checkpoint=checkpoint,
        limit=plan.data.limit,
    )
    began = time.monotonic()
    num_tokens = fit.fit(plan.built.dataset, fitting)
    training_seconds = time.monotonic() - began
    plan.built.model.eval()
    if not fitting.has_measured:
        fitting.begin()
        fitting.measure(0, {})
    results: dict[str, Any] = {"num_tokens_seen": num_tokens, "metrics": fitting.metrics}
    if plan.evaluator is not None and fitting.best_step is not None:
        name = f"eval_{plan.evaluator.primary_metric}"
        results["best"] = {"metric": name, "value": fitting.values[fitting.best_step], "step": fitting.best_step}
    return results | {
        "seconds": round(time.monotonic() - began, 3),
        "training_seconds": round(training_seconds, 3),
        "tokens_per_second": round(num_tokens / max(training_seconds, 1e-9), 1),
    }


def _finish(plan: RunPlan, folder: RunFolder, record: Mapping[str, Any], results: Mapping[str, Any]) -> None:
    keep_data_out_of_card(plan.built.model)
    files = folder.install(plan.built.model, {**record, **results})
    written = {"files": files, "model_hash": model_content_hash(folder.path), "status": "finished"}
    folder.write_record({**record, **results, **written})
