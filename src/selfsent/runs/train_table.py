"""Recipes with many runs: what is still missing is trained, and one table of mean and spread is written."""

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

from selfsent.atomic import write_text
from selfsent.errors import UserError
from selfsent.evaluation.comparison.runs import open_runs
from selfsent.evaluation.suites import suite_names
from selfsent.folder_names import listed, visible_names
from selfsent.provenance import installed_versions
from selfsent.runs.kept_runs import KEPT_FOLDER, KeptRun, finished_run, kept_run, portable
from selfsent.runs.recipe import EVALUATE_DEV, Recipe
from selfsent.runs.run_data import evaluation_data
from selfsent.runs.run_table import Line, Outcome, RunTable
from selfsent.runs.train import Request, data_hash, named_recipe, request_of, seed_of, settle, train_run
from selfsent.runs.train_options import TrainOptions
from selfsent.runs.variants import Variant, variants_of
from selfsent.training.arguments import BEST
from selfsent.training.run import Run, differences, identifying
from selfsent.training.run_folder import MODULES_FILE, RunFolder

TABLE_JSON = "table.json"
TABLE_MARKDOWN = "table.md"
_NUM_SHOWN = 6

logger = logging.getLogger(__name__)


def train_table(
    recipe: str, data: str | Path | None, output_dir: str | Path, **options: Unpack[TrainOptions]
) -> RunTable:
    """Train every run of a recipe that is not finished yet, and write ``table.md`` and ``table.json``.

    A call after a kill at any moment goes on where the earlier one stopped. Runs and seeds may be added to a recipe
    later; runs that are there may not change. A run that breaks off (a loss that is not finite) does not stop the
    others. The first seed of every run comes before the second of any, so that a table cut short has every line.
    A finished run leaves ``runs/NAME-seedN.json``, which counts as done where its folder is not there.

    Args:
        recipe: The path of a recipe, or the name of one that `selfsent recipes` lists.
        data: The source: a file, a folder, ``hf:...`` or ``docs:``; ``None`` takes the recipe's.
        output_dir: Holds the table, ``runs/``, and each run in a folder ``NAME-seedN`` of its own.
        **options: As for ``train``; they win over the recipe in every run.

    Returns:
        The table.

    Raises:
        UserError: The recipe, the data or the output is not as needed, or runs have failed.

    Example:
        >>> table = train_table("sweep.toml", "notes.txt", "./sweep")  # doctest: +SKIP
    """
    return execute_table(request_of(recipe, data, output_dir, options))


def execute_table(request: Request) -> RunTable:
    """Carry out a request for a recipe with many runs; see ``train_table``."""
    folder = _TableFolder(request)
    folder.require_own()
    with RunFolder(folder.path).sole_writer("table of runs"):
        return _fill(folder)


def _fill(folder: "_TableFolder") -> RunTable:
    """Train what is missing, and write the table after every run."""
    folder.begin()
    for number, run in enumerate(folder.runs, start=1):
        if run not in folder.outcomes:
            logger.info("run %d of %d: %s", number, len(folder.runs), run.name)
            folder.settle(run)
            folder.write()
    if folder.failed:
        name, reason = next(iter(folder.failed.items()))
        raise UserError(
            f"{len(folder.failed)} of {len(folder.runs)} runs failed ({name}: {reason});"
            f" the others are in {folder.path / TABLE_MARKDOWN}, and the same command tries again"
        )
    return folder.table()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Run:
    """One run of the table.

    Args:
        variant: What it is a run of.
        seed: Its seed.
        settled: What recipe and request come to.
        identity: What must stay equal for it to count as done.
        reading: Equal for runs that read the data alike.
    """

    variant: Variant
    seed: int
    settled: Run[Any]
    identity: Mapping[str, Any]
    reading: tuple[Any, ...]

    @property
    def name(self) -> str:
        return self.settled.recipe

    @property
    def kept_path(self) -> Path:
        return self.settled.folder.parent / KEPT_FOLDER / f"{self.name}.json"

    def kept(self) -> KeptRun | None:
        """What an earlier call kept of it, unless its folder is there."""
        return None if self.record() else kept_run(self.kept_path)

    def record(self) -> dict[str, Any]:
        try:
            return RunFolder(self.settled.folder).record()
        except UserError as error:
            raise UserError(
                f"{error}; or delete {self.settled.folder}, and the same command trains that run again"
            ) from error

    def train(self) -> None:
        """Start or continue it."""
        train_run(replace(self.settled, resume=not self.settled.overwrite and bool(self.record())))


def _runs(recipe: Recipe, request: Request) -> list[_Run]:
    """Spell out every run and check its settings, before anything is trained.

    Raises:
        UserError: The recipe or the request is not as needed.
    """
    if not recipe.has_many_runs:
        raise UserError(f"the recipe {recipe.name} is one run; add seeds, [grid] or [[run]], or train it as one run")
    if request.seed is not None and recipe.seeds:
        raise UserError(f"the recipe {recipe.name} names its seeds; leave out --seed {request.seed}")
    variants = variants_of(recipe)
    asked = {*request.settings, *(f"training.{key}" for key in request.training)}
    asked |= {key for key in ("data", "columns") if getattr(request, key) is not None}
    differing = {key for variant in variants for key in variant.settings}
    if "columns" in differing:  # which other data do not have
        differing.add("data")
    clashes = sorted(asked & differing)
    if clashes:
        raise UserError(f"the runs of {recipe.name} differ in {', '.join(clashes)}; leave it out of the command")
    seeds = recipe.seeds or [seed_of(recipe, request)]
    return [_run(variant, seed, request) for seed in seeds for variant in variants]


def _run(variant: Variant, seed: int, request: Request) -> _Run:
    recipe = variant.with_seed(seed)
    output = Path(request.output).expanduser().absolute() / recipe.name
    try:
        settled = settle(recipe, replace(request, output=output, seed=seed))
    except UserError as error:
        raise UserError(f"the run {variant.name}: {error}") from error
    described = settled.described()
    del described["name"]
    identity = {
        **described,
        "training": identifying(settled.training),
        "seed": seed,
        "columns": settled.columns,
    }
    return _Run(
        variant=variant,
        seed=seed,
        settled=settled,
        identity=portable(json.loads(json.dumps(identity, default=str))),
        reading=(
            str(settled.data),
            tuple(settled.columns or ()),
            settled.max_rows,
            settled.reads_documents,
            settled.training.get(BEST),
        ),
    )


class _TableFolder:
    """The output of a recipe with many runs: a folder each, and the table over them.

    Args:
        request: What was asked.

    Raises:
        UserError: The recipe or the request is not as needed.
    """

    def __init__(self, request: Request) -> None:
        self.path = Path(request.output).expanduser().absolute()
        self.request = request
        self.recipe = named_recipe(request)
        self.runs = _runs(self.recipe, request)
        self.suites = () if self.recipe.evaluate == EVALUATE_DEV else suite_names(self.recipe.evaluate)
        self.data_dir = _suite_data(request) if self.suites else None
        self.outcomes: dict[_Run, Outcome] = {}
        self.failed: dict[str, str] = {}

    def require_own(self) -> None:
        """Refuse a folder in which somebody keeps other things than a table of runs.

        Raises:
            UserError: It holds a model, or is not empty and holds no table.
        """
        if (self.path / MODULES_FILE).is_file():
            raise UserError(f"{self.path} holds a model; name another --output for a table of runs")
        found = visible_names(self.path) - {TABLE_JSON, TABLE_MARKDOWN, KEPT_FOLDER, *(run.name for run in self.runs)}
        if found and not (self.path / TABLE_JSON).is_file():
            raise UserError(
                f"{self.path} holds {listed(found)} and no table of runs; name an empty or a new folder with --output"
            )

    def begin(self) -> None:
        """Refuse to mix this table with another, take in the runs that are finished, and write the table.

        Raises:
            UserError: The folder holds another table, or the data changed.
        """
        if not self.request.overwrite:
            before = self._runs_before()
            kept = {run: kept for run in self.runs if (kept := run.kept()) is not None}
            self._check_same_runs({**before, **{run.name: dict(one.identity) for run, one in kept.items()}})
            finished = [run for run in self.runs if run.record().get("status") == "finished"]
            if len(finished) + len(kept) < len(self.runs):
                _check_same_data(finished, kept)
            for run in finished:
                self._measure(run)
            for run, one in kept.items():
                self.outcomes[run] = Outcome(seed=one.seed, figures=one.figures)
        self.write()

    def _runs_before(self) -> dict[str, Any]:
        """The runs that an earlier table was made of, by name."""
        path = self.path / TABLE_JSON
        if not path.is_file():
            return {}
        try:
            return portable(dict(json.loads(path.read_text("utf8"))["runs"]))
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path} is damaged ({error}); delete it, and the same command writes it anew from its runs"
            ) from error

    def _check_same_runs(self, before: Mapping[str, Any]) -> None:
        """Compare with the runs that an earlier table was made of; others may have been added since."""
        before = {name: {**one, "training": identifying(one.get("training", {}))} for name, one in before.items()}
        completed = {run.name: run.settled.completed(before[run.name]) for run in self.runs if run.name in before}
        problems = _changes({**before, **completed}, {run.name: run.identity for run in self.runs})
        if problems:
            more = f" and {len(problems) - _NUM_SHOWN} more" if len(problems) > _NUM_SHOWN else ""
            raise UserError(
                f"{self.path} holds the table of another recipe ({'; '.join(problems[:_NUM_SHOWN])}{more});"
                " restore the recipe (runs may be added), name another --output, or use --overwrite"
            )

    def settle(self, run: _Run) -> None:
        """Train a run and take in what it came to; a run that breaks off after it began is noted as failed."""
        try:
            run.train()
        except UserError as error:
            if not run.record():
                raise
            self.failed[run.name] = str(error)
            logger.warning("%s failed: %s", run.name, error)
        else:
            self._measure(run)

    def _measure(self, run: _Run) -> None:
        try:
            figures = _best(run.record()) | (self._scores(run) if self.suites else {})
        except UserError as error:
            self.failed[run.name] = f"trained, but not evaluated: {error}"
            logger.warning("%s could not be evaluated: %s", run.name, error)
            figures = {}
        figures |= _speed(run.record())
        self.outcomes[run] = Outcome(seed=run.seed, figures=figures)
        if run.name not in self.failed:
            finished_run(run.settled.folder, run.identity, run.seed, figures).write(run.kept_path)

    def _scores(self, run: _Run) -> dict[str, tuple[str, float]]:
        """Evaluate the finished model, or take what is remembered beside it."""
        report = open_runs([run.settled.folder], suites=self.suites, data_dir=self.data_dir)[0].report
        scores = {score.task: (score.metric.name, score.value) for score in report.scores}
        return scores | {name: ("mean", average.value) for name, average in report.averages().items()}

    def table(self) -> RunTable:
        """Put together what the runs came to so far."""
        variants = {run.variant.name: run.variant for run in self.runs}.values()
        return RunTable(
            name=self.recipe.name,
            title=self.recipe.title,
            answers=self.recipe.answers,
            evaluated=self.recipe.evaluate,
            lines=[
                Line(
                    name=variant.name,
                    settings=variant.settings,
                    outcomes=[
                        self.outcomes[run] for run in self.runs if run.variant is variant and run in self.outcomes
                    ],
                )
                for variant in variants
            ],
            failed=self.failed,
            missing=[run.name for run in self.runs if run not in self.outcomes and run.name not in self.failed],
        )

    def write(self) -> None:
        """Write ``table.md`` and ``table.json``, which also holds what every run is."""
        table = self.table()
        runs = {run.name: run.identity for run in self.runs}
        content = {**table.to_json(), "runs": runs, "versions": installed_versions()}
        write_text(self.path / TABLE_JSON, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
        write_text(self.path / TABLE_MARKDOWN, table.to_markdown())


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Name what changed in the runs that were there before; a change of all of them is named once."""
    gone = [f"{name} is not in it any more" for name in before if name not in now]
    changed = [(name, change) for name in before if name in now for change in differences(before[name], now[name])]
    counts = Counter(change for _, change in changed)
    is_shared = {change: 1 < count == len(before) - len(gone) for change, count in counts.items()}
    shared = [f"every run: {change}" for change in counts if is_shared[change]]
    return [*gone, *shared, *(f"{name}: {change}" for name, change in changed if not is_shared[change])]


def _suite_data(request: Request) -> Path:
    folder = evaluation_data(request.data_dir, holding=".")
    if folder is None or not folder.is_dir():
        raise UserError(
            f"the recipe evaluates suites and there is no folder of evaluation data (received {folder});"
            " name it with --data-dir, or set SELFSENT_DATA"
        )
    return folder


def _check_same_data(finished: Sequence[_Run], kept: Mapping[_Run, KeptRun]) -> None:
    """Refuse to put runs on different data into one table; each kind of reading is hashed once."""
    hashes: dict[tuple[Any, ...], str] = {}
    read = {run: list(run.record().get("data_hashes", {}).values()) for run in finished}
    for run, data_hashes in (read | {run: list(one.data_hashes) for run, one in kept.items()}).items():
        if run.reading not in hashes:
            hashes[run.reading] = data_hash(run.settled)
        if hashes[run.reading] not in data_hashes:
            raise UserError(
                f"{run.settled.data} has changed since {run.name} was trained on it; restore it, or name another"
                " --output"
            )


def _best(record: Mapping[str, Any]) -> dict[str, tuple[str, float]]:
    """The best development metric of a training."""
    best = record.get("best")
    if best is None:
        return {}
    name = str(best["metric"]).removeprefix("eval_")
    return {name: (name, float(best["value"]))}


def _speed(record: Mapping[str, Any]) -> dict[str, tuple[str, float]]:
    figures = {"seconds": ("seconds", float(record["seconds"]))}
    if record.get("tokens_per_second"):
        figures["tokens/s"] = ("tokens_per_second", float(record["tokens_per_second"]))
    return figures
