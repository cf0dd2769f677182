"""From a method or recipe and a source to a trained model folder: what ``selfsent train`` does."""

import contextlib
import logging
import shutil
import tempfile
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer

from selfsent.data.bad_rows import OnBadRow
from selfsent.errors import UserError
from selfsent.methods import METHODS
from selfsent.methods.method import Assembly, Ingredients, Method
from selfsent.methods.starting_model import UnopenedBaseError, needed
from selfsent.runs.recipe import Recipe, find_recipe
from selfsent.runs.run_data import Wanted, open_run_data
from selfsent.runs.settings import as_options, configure, split_settings
from selfsent.time_limit import TimeLimit
from selfsent.training.arguments import check_arguments
from selfsent.training.library_fit import LibraryFit, train_by_library
from selfsent.training.numbers import SEED_RANGE, is_seed, shortened
from selfsent.training.run import RunPlan
from selfsent.training.run import train as run
from selfsent.training.run_folder import RunFolder
from selfsent.training.trackers import require_trackers

DEFAULT_SEED = 42
_CORPUS_FOLDER = ".corpus"
_OUT_OF_MEMORY = (
    *("can't allocate memory", "out of memory", "storage size calculation overflowed", "bad_alloc"),
    "array is too big",
)
_NAMES = ("method", "data", "output", "base", "teacher", "data_dir", "device")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a person asks of ``selfsent train``.

    Args:
        method: A method's name, a recipe's name, or the path of a recipe.
        data: The source: a file, a folder, ``hf:...`` or ``docs:``.
        output: Folder of the run and the model.
        settings: What ``--set`` takes: the method's options by name and the trainer's arguments as ``training.KEY``;
            they win over a recipe.
        training: Arguments of the host's trainer by name; they win over the settings.
        base: Path or hub name of a model to start from.
        teacher: Path or hub name of a model to learn from.
        resume: Continue the interrupted run in ``output``.
        overwrite: Replace the run in ``output``.
        seed: Seeds weights, dropout and order of the data; default: the recipe's, or 42.
        max_rows: Rows of the source to use; default: the recipe's, or all.
        columns: Columns of the source by name or 1-based number.
        header: Whether the first row of the source names its columns; default: it does where the names are known.
        on_bad_row: ``stop`` at the first bad row, or ``skip`` and count.
        data_dir: Evaluation data, for STS-B dev; default ``$SELFSENT_DATA``, else a part held out of the source.
        device: Where to train; default: the host's choice.
        max_minutes: About how long the run may take, preparation included; it ends measured and saved. Not part of what
            the run is: a resumed run may have another.
    """

    method: str
    data: str | Path
    output: str | Path
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    training: Mapping[str, Any] = field(default_factory=dict[str, Any])
    base: str | None = None
    teacher: str | None = None
    resume: bool = False
    overwrite: bool = False
    seed: int | None = None
    max_rows: int | None = None
    columns: Sequence[str | int] | None = None
    header: bool | None = None
    on_bad_row: OnBadRow = "stop"
    data_dir: str | Path | None = None
    device: str | None = None
    max_minutes: float | None = None

    def __post_init__(self) -> None:
        empty = [name for name in _NAMES if isinstance(value := getattr(self, name), str) and not value.strip()]
        if empty:
            options = " and ".join(f"--{name.replace('_', '-')}" for name in empty)
            raise UserError(f"{options} must be a name or a path, got nothing; is a variable of the shell not set?")


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run, settled before any data is read: what a recipe and a request come to.

    Args:
        recipe: The recipe of one run.
        request: What a person asked for.
        method: The method.
        config: The method's options, checked; of the dataclass ``method.config``.
        training: Fields of the host's training arguments, the method's own among them.
        seed: Seed of the run.
        max_rows: Rows of the source to use; ``None`` for all.
    """

    recipe: Recipe
    request: Request
    method: Method
    config: Any
    training: Mapping[str, Any]
    seed: int
    max_rows: int | None

    @property
    def output(self) -> Path:
        """Folder of the run."""
        return Path(self.request.output).expanduser()

    @property
    def reads_documents(self) -> bool:
        """Whether it learns from documents and not from texts."""
        return self.method.reads_documents(self.config)


def train(method: str, data: str | Path, output_dir: str | Path, **overrides: Any) -> SentenceTransformer:
    """Train a method on a source and leave a model folder with ``metrics.jsonl`` and ``run.json``.

    Args:
        method: A method's name (``self-strae``), a recipe's name, or the path of a recipe.
        data: The source: a file, a folder, ``hf:...`` or ``docs:``.
        output_dir: Folder of the run and the model.
        overrides: Fields of `Request` (``seed``, ``resume``, ``max_rows``, ...); everything else is an option of the
            method (``temperature=0.5``), and ``training={...}`` holds arguments of the host's trainer.

    Returns:
        The trained model, as saved.

    Raises:
        UserError: Anything about the request, the data or the output is not as needed.

    Example:
        >>> model = selfsent.train("self-strae", "notes.txt", "./model", temperature=0.5)  # doctest: +SKIP
    """
    return execute(request_of(method, data, output_dir, overrides))


def request_of(method: str, data: str | Path, output_dir: str | Path, overrides: Mapping[str, Any]) -> Request:
    """Part overrides into fields of `Request`, options of the method, and ``training={...}``; see ``train``."""
    known = {name: value for name, value in overrides.items() if name in Request.__dataclass_fields__}
    options = {name: value for name, value in overrides.items() if name not in known}
    settings = {**known.pop("settings", {}), **options}
    return Request(method=method, data=data, output=output_dir, settings=settings, **known)


def execute(request: Request) -> SentenceTransformer:
    """Carry out a request for one run; see ``train``.

    Raises:
        UserError: What ``train`` raises, or the recipe has many runs.
    """
    recipe = named_recipe(request)
    if recipe.has_many_runs:
        raise UserError(
            f"the recipe {recipe.name} has many runs and gives a table, no model;"
            " use `selfsent train` or selfsent.runs.train_table"
        )
    return train_run(settle(recipe, request))


def named_recipe(request: Request) -> Recipe:
    """Find the recipe that a request names."""
    return find_recipe(request.method, METHODS)


def settle(recipe: Recipe, request: Request) -> Run:
    """Settle what a recipe of one run and a request leave open, before any data is read.

    Raises:
        UserError: There is no such method, an option or an argument of the trainer is not known or not of its type, or
            the seed is none.
    """
    seed = seed_of(recipe, request)
    if not is_seed(seed):
        raise UserError(f"the seed must be a whole number {SEED_RANGE}, got {shortened(seed)}")
    method = _method(recipe, METHODS, request)
    options, arguments = split_settings(request.settings)
    config = configure(method.config, {**recipe.options, **options}, method=method.name)
    training = {**method.training(config), **recipe.training, **arguments, **request.training}
    check_arguments(training)
    require_trackers(training.get("report_to"))
    max_rows = request.max_rows if request.max_rows is not None else recipe.max_rows
    return Run(
        recipe=recipe, request=request, method=method, config=config, training=training, seed=seed, max_rows=max_rows
    )


def seed_of(recipe: Recipe, request: Request) -> int:
    """The seed of a run: that of the request, else of the recipe, else the default."""
    return next(seed for seed in (request.seed, recipe.seed, DEFAULT_SEED) if seed is not None)


@contextlib.contextmanager
def _enough_memory() -> Generator[None]:
    """Say in one line that a model or a batch does not fit into memory."""
    try:
        yield
    except (MemoryError, OverflowError, RuntimeError, ValueError) as error:
        text = str(error).lower()
        if isinstance(error, RuntimeError | ValueError) and not any(words in text for words in _OUT_OF_MEMORY):
            raise
        reason = " ".join(str(error).split())[:160] or "out of memory"
        raise UserError(
            f"model or batch do not fit into memory ({reason}); give a smaller --batch-size, smaller sizes, or another"
            " --base"
        ) from error


def train_run(settled: Run) -> SentenceTransformer:
    """Carry out one run.

    Raises:
        UserError: What ``train`` raises.
    """
    request = settled.request
    folder = RunFolder(settled.output)
    folder.require_own()  # refuse before any work is done
    with folder.sole_writer():
        folder.require_startable(resume=request.resume, overwrite=request.overwrite)
        try:
            with _enough_memory():
                plan = _plan(settled)
                return train_by_library(plan, plan.loss) if isinstance(plan.loss, LibraryFit) else run(plan)
        finally:
            shutil.rmtree(settled.output / _CORPUS_FOLDER, ignore_errors=True)


def _method(recipe: Recipe, methods: Mapping[str, Method], request: Request) -> Method:
    if recipe.method not in methods:
        raise UserError(f"the recipe {recipe.name} names the method {recipe.method!r}; known are {', '.join(methods)}")
    method = methods[recipe.method]
    if request.teacher is not None and not method.takes_teacher:
        raise UserError(
            f"{recipe.method} learns without a teacher (received --teacher {request.teacher}); leave it out"
        )
    return method


def _plan(settled: Run) -> RunPlan:
    """Read the data, build model and loss, and say how they are to be trained."""
    request, training = settled.request, settled.training
    limit = TimeLimit(request.max_minutes)
    data = open_run_data(_wanted(request, settled.max_rows), training, reads_documents=settled.reads_documents)
    source = data.source
    assembly = Assembly(
        source=source,
        documents=data.documents,
        folder=settled.output / _CORPUS_FOLDER,
        heldout_rows=data.heldout_rows,
        base=request.base,
        teacher=request.teacher,
        seed=settled.seed,
        device=request.device,
        limit=limit,
    )
    torch.manual_seed(settled.seed)
    ingredients = _ingredients(settled.method, settled.config, assembly)
    notes = [*source.closing_notes(), *ingredients.notes]
    for note in notes:
        logger.info(note)
    return RunPlan(
        model=ingredients.model,
        loss=ingredients.loss,
        train_dataset=ingredients.dataset,
        output_dir=settled.output,
        recipe={
            "name": settled.recipe.name,
            "method": settled.method.name,
            "options": as_options(settled.config),
            "data": str(request.data),
            "max_rows": settled.max_rows,
            "base": request.base,
            **({"teacher": request.teacher} if request.teacher else {}),
        },
        evaluator=data.evaluator_of(ingredients, batch_size=int(training.get("per_device_train_batch_size", 8))),
        arguments={**training, **({"use_cpu": True} if request.device == "cpu" else {})},
        seed=settled.seed,
        resume=request.resume,
        overwrite=request.overwrite,
        data_hashes={str(request.data): source.sha256()},
        sources=notes,
        max_seq_length=ingredients.max_seq_length,
        limit=None if request.max_minutes is None else limit,
    )


def _ingredients(method: Method, config: Any, assembly: Assembly) -> Ingredients:
    """Build model and loss; where no base was named and the method's own cannot be opened, say that one is needed."""
    try:
        return method.build(config, assembly)
    except UnopenedBaseError as error:
        if assembly.base is not None:
            raise
        raise UserError(needed("--base", "to start from", error.base, error.reason)) from error


def data_hash(settled: Run) -> str:
    """Hash what a run reads, read as the run itself reads it: texts, or documents without the parts that ask.

    Raises:
        UserError: What ``open_run_data`` raises.
    """
    with tempfile.TemporaryDirectory(prefix="selfsent-") as folder:
        wanted = replace(_wanted(settled.request, settled.max_rows), folder=Path(folder))
        return open_run_data(wanted, settled.training, reads_documents=settled.reads_documents).source.sha256()


def _wanted(request: Request, max_rows: int | None) -> Wanted:
    """What a request asks to be read."""
    output = Path(request.output).expanduser()
    return Wanted(
        data=request.data,
        columns=request.columns,
        header=request.header,
        on_bad_row=request.on_bad_row,
        max_rows=max_rows,
        data_dir=request.data_dir,
        folder=output / _CORPUS_FOLDER,
        exclude=[output],
    )
