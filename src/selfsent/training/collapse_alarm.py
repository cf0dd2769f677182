"""The collapse alarm: warns during training when embeddings, or trees, are all becoming alike."""

import logging
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from typing_extensions import override

from selfsent.errors import UserError
from selfsent.evaluation.metrics_log import MetricsLog, read_metrics
from selfsent.evaluation.vector_space import alignment, effective_rank, uniformity
from selfsent.training.random_state import preserved_random_state

_LABEL_COLUMNS = {"label", "labels", "score", "scores"}
_MEASUREMENTS_PER_RUN = 10
_COLLAPSED_UNIFORMITY = -0.2
_COLLAPSED_RANK_SHARE = 0.25
_LEANING_SHARE = 0.95

logger = logging.getLogger(__name__)


@runtime_checkable
class TreeStatistics(Protocol):
    """A first module that builds a tree over every sentence and can describe the trees."""

    def tree_statistics(self, texts: Sequence[str]) -> dict[str, float]:
        """Name, of the trees of ``texts``, at least ``left_share`` and ``right_share`` of their merges."""
        ...


@dataclass(frozen=True, kw_only=True)
class AlarmSettings:
    """How the collapse alarm watches a run.

    Args:
        every_steps: Optimizer steps between measurements; default: where the run is evaluated, else ten times a run.
        num_texts: Training texts embedded at each measurement (chosen: takes seconds, repeats to two digits).
        stop: End the run at the first alarm instead of warning only.
    """

    every_steps: int | None = None
    num_texts: int = 256
    stop: bool = False


@dataclass(frozen=True, kw_only=True)
class Probe:
    """The fixed training texts that are embedded at every measurement.

    Args:
        texts: Distinct texts.
        pairs: Texts and their positives, where rows have two different texts.
    """

    texts: list[Any]
    pairs: list[tuple[Any, Any]] = field(default_factory=list[tuple[Any, Any]])


def _text_columns(rows: Mapping[str, Sequence[Any]]) -> list[Sequence[Any]]:
    columns = (column for name, column in rows.items() if name not in _LABEL_COLUMNS and len(column) > 0)
    return [column for column in columns if isinstance(column[0], str | Mapping)]


def draw_probe(dataset: Dataset, *, num_texts: int, seed: int) -> Probe:
    """Draw the probe from the training rows at random.

    Args:
        dataset: The training rows. The first two columns of text count as a text and its positive.
        num_texts: How many rows to draw, at most.
        seed: Seeds the draw and any transform of the rows.
    """
    with preserved_random_state(seed):
        rows = dataset[random.sample(range(len(dataset)), min(num_texts, len(dataset)))]
    columns = _text_columns(cast("Mapping[str, Sequence[Any]]", rows))
    if not columns:
        return Probe(texts=[])
    distinct = list({str(text): text for text in columns[0]}.values())
    pairs = [pair for pair in zip(columns[0], columns[1], strict=True) if pair[0] != pair[1]] if columns[1:] else []
    return Probe(texts=distinct, pairs=pairs)


def measure(model: SentenceTransformer, probe: Probe) -> dict[str, float]:
    """Measure how a model spreads the probe, without moving the random numbers of training.

    Args:
        model: The model; left in the mode (training or evaluation) it was in.
        probe: What to embed.

    Returns:
        ``uniformity``, ``effective_rank``; ``alignment`` where the probe has pairs; ``tree_...`` for models of trees.
        The first two are NaN, and the only ones, where an embedding is not finite.
    """
    was_training = model.training
    with preserved_random_state():
        vectors = np.asarray(model.encode(probe.texts, show_progress_bar=False))
        if not np.isfinite(vectors).all():  # the next loss is not finite either, and stops the run with its step named
            model.train(was_training)
            return {"uniformity": math.nan, "effective_rank": math.nan}
        measures = {"uniformity": uniformity(vectors), "effective_rank": effective_rank(vectors)}
        if probe.pairs:
            sides = [
                np.asarray(model.encode(list(side), show_progress_bar=False)) for side in zip(*probe.pairs, strict=True)
            ]
            measures["alignment"] = alignment(sides[0], sides[1])
        first = next(iter(model.children()))
        if isinstance(first, TreeStatistics):
            measures |= {f"tree_{name}": value for name, value in first.tree_statistics(probe.texts).items()}
    model.train(was_training)
    return measures


def alarms(measures: Mapping[str, float], at_start: Mapping[str, float]) -> dict[str, str]:
    """Name what has collapsed since the start of training, in plain words.

    A model that begins badly and improves raises no alarm; nor do trees that lean one way because they were given so.
    The limits are ours: a uniformity above -0.2 (an average cosine above 0.95), a quarter of the directions at the
    start, 95% of merges to one side.

    Args:
        measures: From ``measure``, now.
        at_start: From ``measure``, before the first step.

    Returns:
        A sentence for every kind of collapse: ``spread``, ``rank``, ``trees``.
    """
    found: dict[str, str] = {}
    spread, spread_before = measures["uniformity"], at_start["uniformity"]
    if spread > _COLLAPSED_UNIFORMITY and spread >= spread_before:
        found["spread"] = (
            f"nearly all sentences get the same embedding (uniformity {spread:.3f}, at the start {spread_before:.3f}; "
            "0 is total collapse)"
        )
    rank, rank_before = measures["effective_rank"], at_start["effective_rank"]
    if rank < _COLLAPSED_RANK_SHARE * rank_before:
        found["rank"] = f"embeddings use only about {rank:.1f} directions, at the start {rank_before:.1f}"
    for side in ("left", "right"):
        name = f"tree_{side}_share"
        if measures.get(name, 0.0) > _LEANING_SHARE >= at_start.get(name, 1.0):
            found["trees"] = f"nearly all trees lean to the {side} ({measures[name]:.0%} of their merges)"
    return found


class CollapseAlarm(TrainerCallback):
    """Measures a fixed probe during training, adds the measures to ``metrics.jsonl``, and warns of collapse.

    Args:
        settings: When to measure and what to do.
        probe: What to embed.
        log: Where the measures go.
    """

    def __init__(self, *, settings: AlarmSettings, probe: Probe, log: MetricsLog) -> None:
        self.settings = settings
        self.probe = probe
        self.log = log
        self._at_start: dict[str, float] = {}
        self._warned: set[str] = set()

    @override
    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if not self._is_watching(state):
            return
        rows = read_metrics(self.log.path)
        self._at_start = next((row for row in rows if row["step"] == 0 and "uniformity" in row), {})
        if not self._at_start:
            self._at_start = measure(kwargs["model"], self.probe)
            self.log.write(state.global_step, state.epoch, self._at_start)

    @override
    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        is_due = state.global_step % self._interval(args, state) == 0 or state.global_step == state.max_steps
        if self._is_watching(state) and is_due:
            measures = measure(kwargs["model"], self.probe)
            self.log.write(state.global_step, state.epoch, measures)
            for kind, text in alarms(measures, self._at_start).items():
                self._raise_alarm(kind, text, state.global_step)

    def _is_watching(self, state: TrainerState) -> bool:
        return state.is_world_process_zero and len(self.probe.texts) > 1

    def _interval(self, args: TrainingArguments, state: TrainerState) -> int:
        if self.settings.every_steps is not None:
            return self.settings.every_steps
        if args.eval_strategy == "steps" and args.eval_steps:
            return max(1, int(args.eval_steps))
        return max(1, state.max_steps // _MEASUREMENTS_PER_RUN)

    def _raise_alarm(self, kind: str, text: str, step: int) -> None:
        advice = "a lower training.learning_rate, a larger batch or another temperature often helps"
        if self.settings.stop:
            raise UserError(f"training is collapsing at step {step}: {text}; stopped; {advice}")
        if kind not in self._warned:
            self._warned.add(kind)
            logger.warning("training may be collapsing at step %d: %s; %s", step, text, advice)
