"""The engine behind ``selfsent train``: one plan in, one trustworthy model folder out. It knows no method."""

import datetime as dt
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer, SentenceTransformerTrainingArguments
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from typing_extensions import override

from selfsent.errors import UserError
from selfsent.evaluation.metrics_log import MetricsLog
from selfsent.loading import load, model_content_hash
from selfsent.provenance import provenance
from selfsent.ranks import is_first_rank, made_once, num_ranks
from selfsent.training.arguments import check_learning_rate_mapping, num_training_steps, training_arguments
from selfsent.training.collapse_alarm import CollapseAlarm, draw_probe
from selfsent.training.model_card import keep_data_out_of_card
from selfsent.training.progress_notes import ProgressNotes
from selfsent.training.random_state import with_seeded_views
from selfsent.training.run import RunPlan
from selfsent.training.run_folder import RunFolder, resumable
from selfsent.training.time_limit_callback import TimeLimitCallback
from selfsent.training.trainer import ExactTrainer

_LEAST_BATCH = 2  # a contrast needs two
_STEPS_AN_EPOCH = 4
"""Batches that a small corpus is told to be parted into."""

logger = logging.getLogger(__name__)


def _arguments(plan: RunPlan, folder: RunFolder) -> SentenceTransformerTrainingArguments:
    num_steps = num_training_steps(plan.run.arguments, len(plan.built.dataset), num_ranks())
    arguments = training_arguments(
        plan.run.arguments,
        output_dir=folder.checkpoints,
        seed=plan.run.seed,
        num_steps=num_steps,
        has_evaluator=plan.evaluator is not None,
    )
    rates: Any = arguments.learning_rate_mapping or {}
    check_learning_rate_mapping(rates, plan.built.loss)
    return arguments


def _check_batch(plan: RunPlan, arguments: SentenceTransformerTrainingArguments) -> None:
    num_needed, num_found = arguments.train_batch_size * arguments.world_size, len(plan.built.dataset)
    if num_found < num_needed:
        smaller = max(_LEAST_BATCH, num_found // (_STEPS_AN_EPOCH * arguments.world_size))
        fits = smaller * arguments.world_size <= num_found
        raise UserError(
            f"the data has {num_found} rows, fewer than one batch of {num_needed}; "
            f"give more text{f', or a smaller batch, such as --batch-size {smaller}' if fits else ''}"
        )


class _Session:
    """One process's share of a run: keeps ``run.json`` up to date from start to end.

    Args:
        plan: What is run.
        folder: Where.
        before: What ``run.json`` said at the checkpoint resumed from; empty for a fresh run.
    """

    def __init__(self, plan: RunPlan, folder: RunFolder, before: Mapping[str, Any]) -> None:
        self.folder = folder
        self._started = time.monotonic()
        self._seconds_before = float(before.get("seconds", 0.0))
        self.training_seconds = float(before.get("training_seconds", 0.0))
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        self.record: dict[str, Any] = {"status": "running", "started_at": now}
        if is_first_rank():  # the only one that writes; to know what was read takes a pass over the data
            self.record |= {**plan.identity, "num_ranks": num_ranks(), "sources": plan.notes, **provenance()}

    def write(self, **changes: Any) -> None:
        """Bring ``run.json`` up to date."""
        seconds = self._seconds_before + time.monotonic() - self._started
        self.record |= {"seconds": round(seconds, 3), "training_seconds": round(self.training_seconds, 3)} | changes
        self.folder.write_record(self.record)


class _MetricsCallback(TrainerCallback):
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


class _SessionCallback(TrainerCallback):
    """Notes the time spent whenever a checkpoint is saved, so that a resumed run knows its whole duration.

    Training seconds are those of steps and of reading their data; evaluations, logs and checkpoints do not count.
    """

    def __init__(self, session: _Session) -> None:
        self._session = session
        self._since = time.monotonic()

    @override
    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        now = time.monotonic()
        self._session.training_seconds += now - self._since
        self._since = now

    @override
    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            self._session.write(step=state.global_step)
        self._since = time.monotonic()

    def _restart_clock(self, *_: Any, **__: Any) -> None:
        self._since = time.monotonic()

    on_train_begin = on_log = on_evaluate = _restart_clock  # pyright: ignore[reportAssignmentType] all arguments are the host's


def _results(trainer: ExactTrainer, log: MetricsLog, num_rows: int) -> dict[str, Any]:
    """What ``run.json`` says of a finished run: steps, rows and tokens seen, the last metrics, the best ones."""
    state, arguments = trainer.state, trainer.args
    metrics = {name: value for name, value in log.latest.items() if name not in {"step", "epoch"}}
    results: dict[str, Any] = {
        "step": state.global_step,
        "epoch": state.epoch,
        "num_rows_seen": round((state.epoch or 0) * num_rows),
        "num_tokens_seen": state.num_input_tokens_seen,
        "metrics": metrics,
    }
    if state.best_metric is not None:
        results["best"] = {
            "metric": arguments.metric_for_best_model,
            "value": float(state.best_metric),
            "step": state.best_global_step,
        }
    return results


def _alarm(plan: RunPlan, log: MetricsLog) -> list[CollapseAlarm]:
    if plan.alarm is None:
        return []
    probe = draw_probe(plan.built.dataset, num_texts=plan.alarm.num_texts, seed=plan.run.seed)
    return [CollapseAlarm(settings=plan.alarm, probe=probe, log=log)]


def _limit(plan: RunPlan) -> list[TimeLimitCallback]:
    if plan.run.max_minutes is None:
        return []
    return [TimeLimitCallback(plan.data.limit, has_evaluator=plan.evaluator is not None)]


def _notes(plan: RunPlan, arguments: SentenceTransformerTrainingArguments) -> list[ProgressNotes]:
    """Say how far the run is where the host draws no progress bar."""
    return [ProgressNotes(plan.data.limit)] if arguments.disable_tqdm else []


def _finish(trainer: ExactTrainer, session: _Session, log: MetricsLog, num_rows: int) -> None:
    results = _results(trainer, log, num_rows)
    keep_data_out_of_card(trainer.model)
    files = session.folder.install(trainer.model, session.record | results)
    speed = results["num_tokens_seen"] / session.training_seconds if session.training_seconds else 0.0
    results["tokens_per_second"] = round(speed, 1)
    session.write(**results, files=files, model_hash=model_content_hash(session.folder.path), status="finished")


def train(plan: RunPlan) -> SentenceTransformer:
    """Train as planned and leave a model folder: model, ``metrics.jsonl``, ``run.json``, checkpoints.

    A run killed at any moment leaves either no model or a whole one, and continues with ``resume`` to the same result,
    bit for bit on a CPU.

    Args:
        plan: What to train, on what, and where to.

    Returns:
        The trained model, as saved: the best by the evaluator, or else the last.

    Raises:
        UserError: The plan cannot be run (settings, data, output folder), the loss is not finite, or the disk is full.
        KeyboardInterrupt: With a text that says how to go on.
    """
    folder = RunFolder(plan.run.folder)
    arguments = _arguments(plan, folder)
    _check_batch(plan, arguments)
    with folder.sole_writer():
        start = made_once(lambda: folder.begin(plan))
        if start.note and arguments.process_index == 0:
            logger.warning(start.note)
        if start.kind == "finished":
            return load(folder.path)
        session = _Session(plan, folder, folder.record() if start.kind == "resumed" else {})
        with resumable(folder):
            return _run(plan, arguments, session, start.checkpoint)


def _run(
    plan: RunPlan,
    arguments: SentenceTransformerTrainingArguments,
    session: _Session,
    checkpoint: Path | None,
) -> SentenceTransformer:
    """Train to the end and install the model."""
    is_main = arguments.process_index == 0
    if is_main:
        session.write()
    log = MetricsLog(session.folder.metrics_path)
    dataset, views = with_seeded_views(plan.built.dataset, seed=plan.run.seed)
    keep_data_out_of_card(plan.built.model)
    trainer = ExactTrainer(
        model=plan.built.model,
        args=arguments,
        train_dataset=dataset,
        loss=plan.built.loss,
        evaluator=plan.evaluator,
        max_seq_length=plan.built.max_seq_length,
        callbacks=[
            *(_MetricsCallback(log), _SessionCallback(session), *views, *_alarm(plan, log)),
            *(*_notes(plan, arguments), *_limit(plan), *plan.callbacks),
        ],
    )
    trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    if is_main:
        _finish(trainer, session, log, len(plan.built.dataset))
    trainer.accelerator.wait_for_everyone()
    return trainer.model
