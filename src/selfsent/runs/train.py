"""From a method or recipe and a source to a trained model folder: what ``selfsent train`` does."""

import contextlib
import logging
import shutil
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer

from selfsent.data.bad_rows import OnBadRow
from selfsent.data.source import Source
from selfsent.errors import UserError
from selfsent.methods import METHODS
from selfsent.methods.method import Assembly, Ingredients, Method
from selfsent.methods.starting_model import UnopenedBaseError, needed
from selfsent.runs.recipe import Recipe, find_recipe
from selfsent.runs.run_data import Wanted, open_run_data, open_texts
from selfsent.runs.settings import as_options, configure, split_settings
from selfsent.training.arguments import training_arguments
from selfsent.training.library_fit import LibraryFit, train_by_library
from selfsent.training.numbers import SEED_RANGE, is_seed, shortened
from selfsent.training.run import RunPlan
from selfsent.training.run import train as run
from selfsent.training.run_folder import RunFolder

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
        settings: The method's options by name and the trainer's arguments as ``training.KEY``; they win over a recipe.
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
    """

    method: str
    data: str | Path
    output: str | Path
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
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

    def __post_init__(self) -> None:
        empty = [name for name in _NAMES if isinstance(value := getattr(self, name), str) and not value.strip()]
        if empty:
            options = " and ".join(f"--{name.replace('_', '-')}" for name in empty)
            raise UserError(f"{options} must be a name or a path, got nothing; is a variable of the shell not set?")


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
    options = {name: value for name, value in overrides.items() if name not in {*known, "training"}}
    training = {f"training.{key}": value for key, value in overrides.get("training", {}).items()}
    settings = {**known.pop("settings", {}), **options, **training}
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
    return train_recipe(recipe, request)


def named_recipe(request: Request) -> Recipe:
    """Find the recipe that a request names."""
    return find_recipe(request.method, METHODS)


def settle(recipe: Recipe, request: Request) -> tuple[Method, Any, dict[str, Any]]:
    """Settle what a recipe of one run and a request leave open, before any data is read.

    Returns:
        The method, its configuration, and the fields of the host's training arguments.

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
    arguments = {**method.training(config), **recipe.training, **arguments}
    training_arguments(arguments, output_dir=Path(request.output), seed=DEFAULT_SEED, num_steps=1, has_evaluator=True)
    return method, config, arguments


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


def train_recipe(recipe: Recipe, request: Request) -> SentenceTransformer:
    """Carry out a recipe of one run; what the request says wins over the recipe."""
    method, config, arguments = settle(recipe, request)
    output = Path(request.output).expanduser()
    folder = RunFolder(output)
    folder.require_own()  # refuse before any work is done
    with folder.sole_writer():
        if not (request.resume or request.overwrite):
            folder.begin({}, resume=False, overwrite=False)
        elif request.resume:
            folder.record()  # one that is cut
        try:
            with _enough_memory():
                plan = _plan(request, recipe, method, config, arguments)
                return train_by_library(plan, plan.loss) if isinstance(plan.loss, LibraryFit) else run(plan)
        finally:
            shutil.rmtree(output / _CORPUS_FOLDER, ignore_errors=True)


def _method(recipe: Recipe, methods: Mapping[str, Method], request: Request) -> Method:
    if recipe.method not in methods:
        raise UserError(f"the recipe {recipe.name} names the method {recipe.method!r}; known are {', '.join(methods)}")
    method = methods[recipe.method]
    if request.teacher is not None and not method.takes_teacher:
        raise UserError(
            f"{recipe.method} learns without a teacher (received --teacher {request.teacher}); leave it out"
        )
    return method


def _plan(request: Request, recipe: Recipe, method: Method, config: Any, arguments: dict[str, Any]) -> RunPlan:
    """Read the data, build model and loss, and say how they are to be trained."""
    output = Path(request.output).expanduser()
    max_rows = request.max_rows if request.max_rows is not None else recipe.max_rows
    seed = seed_of(recipe, request)
    data = open_run_data(_wanted(request, max_rows), arguments, reads_documents=method.reads_documents(config))
    source = data.source
    assembly = Assembly(
        source=source,
        documents=data.documents,
        folder=output / _CORPUS_FOLDER,
        heldout_rows=data.heldout_rows,
        base=request.base,
        teacher=request.teacher,
        seed=seed,
        device=request.device,
    )
    torch.manual_seed(seed)
    ingredients = _ingredients(method, config, assembly)
    notes = [*source.closing_notes(), *ingredients.notes]
    for note in notes:
        logger.info(note)
    return RunPlan(
        model=ingredients.model,
        loss=ingredients.loss,
        train_dataset=ingredients.dataset,
        output_dir=output,
        recipe={
            "name": recipe.name,
            "method": method.name,
            "options": as_options(config),
            "data": str(request.data),
            "max_rows": max_rows,
            "base": request.base,
            **({"teacher": request.teacher} if request.teacher else {}),
        },
        evaluator=data.evaluator_of(ingredients, batch_size=int(arguments.get("per_device_train_batch_size", 8))),
        arguments={**arguments, **({"use_cpu": True} if request.device == "cpu" else {})},
        seed=seed,
        resume=request.resume,
        overwrite=request.overwrite,
        data_hashes={str(request.data): source.sha256()},
        sources=notes,
        max_seq_length=ingredients.max_seq_length,
    )


def _ingredients(method: Method, config: Any, assembly: Assembly) -> Ingredients:
    """Build model and loss; where no base was named and the method's own cannot be opened, say that one is needed."""
    try:
        return method.build(config, assembly)
    except UnopenedBaseError as error:
        if assembly.base is not None:
            raise
        raise UserError(needed("--base", "to start from", error.base, error.reason)) from error


def source_of(request: Request, max_rows: int | None) -> Source:
    """Open the source that a request names; its own output in the folder that is read is none of it.

    Raises:
        UserError: As ``open_source``.
    """
    return open_texts(_wanted(request, max_rows))


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
