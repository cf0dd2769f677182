"""From a method or recipe and a source to a trained model folder: what ``selfsent train`` does."""

import contextlib
import logging
import shutil
import tempfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Unpack

import torch
from sentence_transformers import SentenceTransformer

from selfsent.errors import UserError, did_you_mean
from selfsent.methods import METHODS
from selfsent.methods.method import RELEASED, Method
from selfsent.methods.starting_model import UnopenedBaseError, needed
from selfsent.options import PRESET, SEED_RANGE, is_seed, names_of, shortened
from selfsent.ranks import (
    is_first_rank,
    join_ranks,
    made_once,
    num_ranks,
    one_line_if_a_rank_is_lost,
    require_same,
    wait_for_all_ranks,
)
from selfsent.runs.recipe import Recipe, data_of, find_recipe, place_of_model, split_settings
from selfsent.runs.run_data import open_run_data
from selfsent.runs.train_options import TrainOptions
from selfsent.time_limit import TimeLimit
from selfsent.training.arguments import check_arguments, require_trackers
from selfsent.training.engine import train as train_as_planned
from selfsent.training.library_fit import LibraryFit, train_by_library
from selfsent.training.run import Ingredients, Run, RunData, RunOptions, RunPlan
from selfsent.training.run_folder import RunFolder

DEFAULT_SEED = 42
_OUT_OF_MEMORY = (
    *("can't allocate memory", "out of memory", "storage size calculation overflowed", "bad_alloc"),
    "array is too big",
)
_MODELS = ("masked_lm",)
"""Options of a recipe that name a model, as its ``base`` does."""
_NAMES = ("method", "data", "output", "base", "teacher", "data_dir", "device")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Request(RunOptions):
    """What a person asks of ``selfsent train``.

    Args:
        method: A method's name, a recipe's name, or the path of a recipe.
        output: Folder of the run and the model.
        settings: What ``--set`` takes: the method's options by name and the trainer's arguments as ``training.KEY``;
            they win over a recipe.
        training: Arguments of the trainer by name; they win over the settings.
    """

    method: str
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        """Check every option, and refuse empty names and paths."""
        super().__post_init__()
        empty = [name for name in _NAMES if isinstance(value := getattr(self, name), str) and not value.strip()]
        if empty:
            options = " and ".join(f"--{name.replace('_', '-')}" for name in empty)
            raise UserError(f"{options} must be a name or a path, got nothing; is a variable of the shell not set?")


def train(
    method: str, data: str | Path | None, output_dir: str | Path, **options: Unpack[TrainOptions]
) -> SentenceTransformer:
    """Train a method on a source and leave a model folder with ``metrics.jsonl`` and ``run.json``.

    Args:
        method: A method's name (``self-strae``), a recipe's name, or the path of a recipe.
        data: The source: a file, a folder, ``hf:...`` or ``docs:``; ``None`` takes the recipe's.
        output_dir: Folder of the run and the model.
        **options: Fields of `selfsent.training.run.RunOptions` (``seed``, ``resume``, ``max_rows``, ...), options of
            the method (``temperature=0.5``), and ``training={...}`` with arguments of the trainer.

    Returns:
        The trained model, as saved.

    Raises:
        UserError: Anything about the request, the data or the output is not as needed.

    Example:
        >>> model = selfsent.train("self-strae", "notes.txt", "./model", temperature=0.5)  # doctest: +SKIP
    """
    return execute(request_of(method, data, output_dir, options))


def request_of(method: str, data: str | Path | None, output_dir: str | Path, overrides: Mapping[str, Any]) -> Request:
    """Part overrides into fields of `Request` and options of the method; see ``train``.

    Raises:
        UserError: Neither a run nor any method has such an option.
    """
    known = {name: value for name, value in overrides.items() if name in Request.__dataclass_fields__}
    options = {name: value for name, value in overrides.items() if name not in known}
    everything = {PRESET, *names_of(RunOptions), *(name for one in METHODS.values() for name in names_of(one.config))}
    for name in options:
        if name not in everything:
            hint = did_you_mean(name, sorted(everything)) or f"; see `selfsent methods {method}`"
            raise UserError(f"{method} has no option {name!r}{hint}")
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


def settle(recipe: Recipe, request: Request) -> Run[Any]:
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
    own = {name: place_of_model(value) if name in _MODELS else value for name, value in recipe.options.items()}
    config, own_training = method.configure({**own, **options})
    training = {**own_training, **recipe.training, **arguments, **request.training}
    check_arguments(training)
    require_trackers(training.get("report_to"))
    asked: dict[str, Any] = {one.name: getattr(request, one.name) for one in fields(RunOptions)}
    asked |= {"training": training, "seed": seed, "max_rows": request.max_rows or recipe.max_rows}
    asked |= _places(recipe, request)
    _check_base(method, {**recipe.options, **options}, asked["base"])
    reads_documents = method.reads_documents is not None and method.reads_documents(config)
    return Run(recipe=recipe.name, method=method.name, config=config, reads_documents=reads_documents, **asked)


def _check_base(method: Method, options: Mapping[str, Any], base: str | None) -> None:
    """Refuse the authors' settings without the base that they go with."""
    if options.get(PRESET) == RELEASED and method.released is not None and method.released.base and base is None:
        raise UserError(f"preset=released of {method.name} starts from {method.released.base}; name it with --base")


def _places(recipe: Recipe, request: Request) -> dict[str, Any]:
    """What a run reads and starts from: what the request names, else what the recipe does."""
    models = {
        name: place_of_model(own) if asked is None and own is not None else asked
        for name, asked, own in (
            ("base", request.base, recipe.base),
            ("teacher", request.teacher, recipe.teacher),
        )
    }
    places = models | {"data": data_of(recipe, request.data)}
    is_own = request.data is None and request.columns is None
    return places | ({"columns": recipe.columns} if is_own else {})


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


def train_run(run: Run[Any]) -> SentenceTransformer:
    """Carry out one run.

    Raises:
        UserError: What ``train`` raises.
    """
    join_ranks(on_cpu=bool(run.arguments.get("use_cpu")))
    with one_line_if_a_rank_is_lost():
        require_same({**run.described(), "seed": run.seed, "training": dict(run.training), "data": _size(run)})
        return _train_here(run, RunFolder(run.folder))


def _train_here(run: Run[Any], folder: RunFolder) -> SentenceTransformer:
    made_once(folder.require_own)  # refuse before any work is done
    with folder.sole_writer():
        made_once(lambda: folder.require_startable(resume=run.resume, overwrite=run.overwrite))
        try:
            with _enough_memory():
                plan = _plan(run)
                wait_for_all_ranks()  # all have read what the first rank removes at the end
                loss = plan.built.loss
                return train_by_library(plan, loss) if isinstance(loss, LibraryFit) else train_as_planned(plan)
        finally:
            if is_first_rank():
                shutil.rmtree(run.corpus_folder, ignore_errors=True)


def _size(run: Run[Any]) -> str:
    """Tell the data of one rank from other data of the same name: the sizes of files, which take no time to read."""
    place = Path(run.data)
    if num_ranks() == 1:
        return str(run.data)
    files = sorted(file for file in place.rglob("*") if file.is_file()) if place.is_dir() else [place]
    num_bytes = sum(file.stat().st_size for file in files if file.is_file())
    return f"{run.data} of {num_bytes:,} bytes" if num_bytes else str(run.data)


def _method(recipe: Recipe, methods: Mapping[str, Method], request: Request) -> Method:
    if recipe.method not in methods:
        raise UserError(f"the recipe {recipe.name} names the method {recipe.method!r}; known are {', '.join(methods)}")
    method = methods[recipe.method]
    teacher = request.teacher or recipe.teacher
    if teacher is not None and not method.takes_teacher:
        raise UserError(f"{recipe.method} learns without a teacher (received --teacher {teacher}); leave it out")
    return method


def _plan(run: Run[Any]) -> RunPlan:
    """Open the data and build model and loss."""
    data = open_run_data(run, limit=TimeLimit(run.max_minutes))
    torch.manual_seed(run.seed)
    plan = RunPlan(run=run, data=data, built=_built(run, data))
    for note in plan.notes if is_first_rank() else ():
        logger.info(note)
    return plan


def _built(run: Run[Any], data: RunData) -> Ingredients:
    """Build model and loss; where no base was named and the method's own cannot be opened, say that one is needed."""
    try:
        return METHODS[run.method].build(run, data)
    except UnopenedBaseError as error:
        if run.base is not None:
            raise
        raise UserError(needed("--base", "to start from", error.base, error.reason)) from error


def data_hash(run: Run[Any]) -> str:
    """Hash what a run reads, read as the run itself reads it: texts, or documents without the parts that ask.

    Raises:
        UserError: What ``open_run_data`` raises.
    """
    with tempfile.TemporaryDirectory(prefix="selfsent-") as folder:
        return open_run_data(run, corpus_folder=Path(folder)).source.sha256()
