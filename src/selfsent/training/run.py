"""One run: what was asked for, what it reads, and what a method built for it."""

import dataclasses
import functools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.evaluation import BaseEvaluator
from torch import nn
from transformers import TrainerCallback

from selfsent.data.bad_rows import OnBadRow
from selfsent.data.source import Source
from selfsent.documents.document import Document
from selfsent.options import Options, option
from selfsent.ranks import need_cpu
from selfsent.time_limit import TimeLimit
from selfsent.training.collapse_alarm import AlarmSettings
from selfsent.training.heldout_loss import HeldoutLoss

CORPUS_FOLDER = ".corpus"
"""Folder inside that of a run for data that is read many times; it is removed at the end."""

_NOT_IDENTITY = {
    "disable_tqdm",
    "dataloader_num_workers",
    "dataloader_pin_memory",
    "report_to",
    "save_total_limit",
    "use_cpu",
}


def identifying(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the training arguments that change no figure of a run.

    Args:
        arguments: Values by the name of the argument.
    """
    return {name: value for name, value in arguments.items() if name not in _NOT_IDENTITY}


Config_co = TypeVar("Config_co", covariant=True)


@dataclass(frozen=True, kw_only=True)
class RunOptions(Options):
    """What a person says of a run beside the options of its method.

    Args:
        data: The source: a file, a folder, ``hf:...`` or ``docs:``; default: the recipe's.
        output: Folder of the run; becomes a SentenceTransformer folder with ``metrics.jsonl`` and ``run.json`` in it.
        training: Arguments of the trainer by name.
        base: Path or hub name of a model to start from; default: the recipe's, or the method's.
        teacher: Path or hub name of a model to learn from; default: the recipe's, or the method's.
        resume: Continue the interrupted run in ``output``.
        overwrite: Replace the run or model in ``output``.
        seed: Random seed of weights, dropout and order of the data; default: the recipe's, or 42.
        max_rows: Rows of the source to use; default: the recipe's, or all.
        columns: Columns of the source by name or 1-based number; default: the recipe's, for its own source.
        header: Whether the first row of the source names its columns; default: it does where the names are known.
        on_bad_row: ``stop`` at the first bad row, or ``skip`` and count.
        data_dir: Evaluation data, for STS-B dev; default ``$SELFSENT_DATA``, else a part held out of the source.
        device: Where to train; default: the best there is.
        max_minutes: About how long the run may take, preparation included; it ends measured and saved. Not part of what
            the run is: a resumed run may have another.
    """

    data: str | Path | None = None
    output: str | Path
    training: Mapping[str, Any] = field(default_factory=dict[str, Any])
    base: str | None = None
    teacher: str | None = None
    resume: bool = False
    overwrite: bool = False
    seed: int | None = None
    max_rows: int | None = option(None, at_least=1)
    columns: Sequence[str | int] | None = None
    header: bool | None = None
    on_bad_row: OnBadRow = "stop"
    data_dir: str | Path | None = None
    device: str | None = None
    max_minutes: float | None = option(None, above=0)


@dataclass(frozen=True, kw_only=True)
class Run(RunOptions, Generic[Config_co]):
    """One run, settled before any data is read: what data, method and trainer take.

    Args:
        recipe: Name of the recipe, or of the method where none was named.
        method: Name of the method.
        data: The source: a file, a folder, ``hf:...`` or ``docs:``.
        config: Options of the method, checked.
        reads_documents: Whether the method learns from documents and not from texts.
        training: Fields of the host's training arguments, those of the method and the recipe among them.
        seed: Random seed of weights, dropout and order of the data.
    """

    recipe: str
    method: str
    data: str | Path = ""
    config: Config_co
    reads_documents: bool = False
    seed: int = 42

    @property
    def folder(self) -> Path:
        """Folder of the run."""
        return Path(self.output).expanduser()

    @property
    def corpus_folder(self) -> Path:
        """Folder of the run for what it reads many times, such as the corpus that is mapped into memory."""
        return self.folder / CORPUS_FOLDER

    @property
    def arguments(self) -> dict[str, Any]:
        """Fields of the host's training arguments, the device among them."""
        on_cpu = self.device == "cpu" or need_cpu()
        return {**self.training, **({"use_cpu": True} if on_cpu else {})}

    def described(self) -> dict[str, Any]:
        """Give what identifies the run beside its training arguments and its data, JSON-ready."""
        options = dataclasses.asdict(cast("Any", self.config))
        return {
            "name": self.recipe,
            "method": self.method,
            "options": options,
            "data": str(self.data),
            "max_rows": self.max_rows,
            "base": self.base,
            **({"teacher": self.teacher} if self.teacher else {}),
        }

    def completed(self, described: Mapping[str, Any]) -> dict[str, Any]:
        """Add to the description of an earlier run the options that its version did not have, at their defaults.

        Args:
            described: What ``described`` gave for it.
        """
        declared = dataclasses.fields(cast("Any", self.config))
        known = {one.name: one.default for one in declared if one.default is not dataclasses.MISSING}
        defaults = json.loads(json.dumps(known, default=str))
        return {**described, "options": {**defaults, **described.get("options", {})}}


@dataclass(frozen=True, kw_only=True)
class RunData:
    """What a run reads.

    Args:
        source: The texts; of documents, titles and texts.
        documents: The documents, where the method reads documents.
        heldout_rows: Rows to keep out of training for the held-out loss; 0 for none.
        evaluator: What measures the model along the way, unless the held-out loss does.
        limit: When the run should be over.
    """

    source: Source
    documents: Iterable[Document] | None = None
    heldout_rows: int = 0
    evaluator: BaseEvaluator | None = None
    limit: TimeLimit = field(default_factory=TimeLimit)


@dataclass(frozen=True, kw_only=True)
class Ingredients:
    """What a method builds for a run.

    Args:
        model: What to train; its weights are as they should be at step 0.
        loss: The objective, holding the model; may own heads, decoders and queues.
        dataset: Rows in the columns the loss takes.
        heldout: Rows kept out of training for the held-out loss; ``None`` where none were asked for.
        notes: What the user should be told about data and vocabulary.
        max_seq_length: Tokens a training text is cut to, special ones included; ``None``: as many as the model reads.
            The model keeps its own limit, by which it is evaluated, saved and used.
    """

    model: SentenceTransformer
    loss: nn.Module
    dataset: Dataset
    heldout: Dataset | None = None
    notes: Sequence[str] = ()
    max_seq_length: int | None = None


@dataclass(kw_only=True)
class RunPlan:
    """Everything one training is made of.

    Args:
        run: What was asked for.
        data: What is read.
        built: What the method built.
        alarm: How to watch for collapse; ``None`` turns the alarm off.
        callbacks: Further callbacks of the host.
    """

    run: Run[Any]
    data: RunData
    built: Ingredients
    alarm: AlarmSettings | None = field(default_factory=AlarmSettings)
    callbacks: Sequence[TrainerCallback] = ()

    @functools.cached_property
    def evaluator(self) -> BaseEvaluator | None:
        """What measures the model along the way; the best by its primary metric is the one saved."""
        if self.data.evaluator is not None or self.built.heldout is None:
            return self.data.evaluator
        return HeldoutLoss(
            loss=self.built.loss,
            dataset=self.built.heldout,
            batch_size=int(self.run.training.get("per_device_train_batch_size", 8)),
            max_seq_length=self.built.max_seq_length,
        )

    @functools.cached_property
    def identity(self) -> dict[str, Any]:
        """What must be equal for the run to be continued: recipe, training arguments, seed, data; as JSON keeps it."""
        whole = {
            "recipe": self.run.described(),
            "arguments": identifying(self.run.arguments),
            "seed": self.run.seed,
            "data_hashes": {str(self.run.data): self.data.source.sha256()},
        }
        return json.loads(json.dumps(whole, default=str))

    @functools.cached_property
    def notes(self) -> list[str]:
        """Notes on the data, for ``run.json`` and the model card."""
        return [*self.data.source.closing_notes(), *self.built.notes]


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Name the settings two runs differ in, as ``key: old -> new``; nested keys are joined by dots."""
    old_flat, new_flat = dict(_flat(old)), dict(_flat(new))
    keys = sorted(old_flat.keys() | new_flat.keys())
    absent = "(absent)"
    return [
        f"{key}: {old_flat.get(key, absent)} -> {new_flat.get(key, absent)}"
        for key in keys
        if old_flat.get(key, absent) != new_flat.get(key, absent)
    ]


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value
