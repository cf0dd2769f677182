"""Search good settings of a recipe: whole runs, one a trial, judged on development data only.

Optuna proposes settings, as it does behind the host's ``hyperparameter_search``. That search keeps one trainer and
swaps the model in it; here each trial is a run of its own, since a method's options also decide views, tokenizer and
loss. So a trial has the provenance of any run, and a search that was killed goes on: with its seed the same settings
are proposed again, and a finished run is not done again.
"""

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from selfsent.atomic import atomic_path
from selfsent.errors import UserError
from selfsent.evaluation.metrics import metric_named
from selfsent.options import describe, is_number, is_whole_number
from selfsent.printed_text import TextTable
from selfsent.runs.recipe import parse_assignments, split_settings
from selfsent.runs.run_data import evaluation_data
from selfsent.runs.train import Request, Run, named_recipe, settle, train_run
from selfsent.training.arguments import BEST
from selfsent.training.run_folder import RunFolder

BEST_FILE = "best.toml"
TRIALS_FILE = "trials.json"
_FACTOR_OF_RATES = 10
_FACTOR_OF_TEMPERATURES = 4
_LOG_FROM = 10
"""Ratio of a range's ends from which the range is searched on a logarithmic scale."""
_WORST = float("-inf")
_CHANGE_THE_LOSS = {"temperature", "objective", "training.per_device_train_batch_size", "symmetric", "margin"}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Range:
    """A range of numbers to try.

    Args:
        low: The least.
        high: The greatest.
        is_whole: Whether only whole numbers are tried.
    """

    low: float
    high: float
    is_whole: bool = False

    @property
    def is_log(self) -> bool:
        """Whether the range is searched on a logarithmic scale."""
        return self.low > 0 and self.high / self.low >= _LOG_FROM


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A list of values to try.

    Args:
        values: The values.
    """

    values: Sequence[Any]


Space = Mapping[str, Range | Choice]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The result of one trial.

    Args:
        folder: Folder of its run.
        settings: What was tried.
        metric: What judged it; empty where it failed.
        value: Its best value; ``None`` where it failed.
        failure: Why it failed.
    """

    folder: str
    settings: Mapping[str, Any]
    metric: str = ""
    value: float | None = None
    failure: str = ""

    @property
    def gain(self) -> float:
        """The value, negated where lower is better."""
        if self.value is None:
            return _WORST
        return (
            -self.value if metric_named(self.metric).better == "lower" or self.metric.endswith("loss") else self.value
        )


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """The result of a search.

    Args:
        trials: All trials, the recipe's own settings first.
    """

    trials: Sequence[Trial] = field(default_factory=tuple)

    @property
    def best(self) -> Trial:
        """The best trial."""
        return max(self.trials, key=lambda trial: trial.gain)

    def render(self) -> TextTable:
        """Lay the trials out for a terminal, the best first."""
        names = list(dict.fromkeys(name for trial in self.trials for name in trial.settings))
        table = TextTable(caption="The first trial has the recipe's own settings. No test set was read.")
        for heading in ("trial", *names, self.best.metric or "value"):
            table.add_column(heading)
        for trial in sorted(self.trials, key=lambda trial: trial.gain, reverse=True):
            value = trial.failure if trial.value is None else _shown(trial.metric, trial.value)
            table.add_row(trial.folder, *(_short(trial.settings.get(name, "")) for name in names), value)
        return table


def parse_space(assignments: Sequence[str]) -> dict[str, Range | Choice]:
    """Read what to search: ``KEY=LOW..HIGH`` for a range, ``KEY=A,B,C`` for a choice.

    Raises:
        UserError: One of them is of another form, or a range is empty.
    """
    space: dict[str, Range | Choice] = {}
    for assignment in assignments:
        key, _, text = assignment.partition("=")
        low, dots, high = text.partition("..")
        if dots and not (is_number(_number(low)) and is_number(_number(high)) and _number(low) < _number(high)):
            raise UserError(
                f"--search {assignment!r} must be KEY=LOW..HIGH with LOW below HIGH, such as temperature=0.02..0.2"
            )
        if dots:
            is_whole = is_whole_number(_number(low)) and is_whole_number(_number(high))
            space[key.strip()] = Range(low=_number(low), high=_number(high), is_whole=is_whole)
            continue
        values = [value for part in text.split(",") for value in parse_assignments([f"{key}={part}"]).values()]
        if len(values) < 2:  # noqa: PLR2004 one value is no choice
            raise UserError(f"--search {assignment!r} must be KEY=LOW..HIGH or KEY=A,B; to fix a value use --set")
        space[key.strip()] = Choice(values=values)
    return space


def default_space(run: Run[Any]) -> dict[str, Range | Choice]:
    """Give what is searched by default: learning rate, rows per batch, and the temperature if there is one.

    Where trials are judged by the loss on held-out rows, the learning rate alone: the others change that loss without
    making the model better.

    Args:
        run: The recipe's own run.
    """
    rate = float(run.training.get("learning_rate", 5e-5))
    batch = int(run.training.get("per_device_train_batch_size", 8))
    space: dict[str, Range | Choice] = {
        "training.learning_rate": Range(low=rate / _FACTOR_OF_RATES, high=rate * _FACTOR_OF_RATES)
    }
    if is_judged_by_loss(run):
        return space
    space["training.per_device_train_batch_size"] = Choice(values=[max(batch // 2, 2), max(batch, 2), 2 * batch])
    if any(option.name == "temperature" for option in describe(type(run.config))):
        heat = float(run.config.temperature)
        space["temperature"] = Range(low=heat / _FACTOR_OF_TEMPERATURES, high=heat * _FACTOR_OF_TEMPERATURES)
    return space


def is_judged_by_loss(run: Run[Any]) -> bool:
    """Tell whether a run is judged by the loss on held-out rows alone."""
    judge = run.training.get(BEST, "auto")
    return judge == "auto" and not run.reads_documents and evaluation_data(run.data_dir) is None


def tune(request: Request, *, num_trials: int, space: Space | None = None) -> Tuned:
    """Try settings of a recipe, the recipe's own first, and write the best as a recipe.

    Args:
        request: What a person would train; ``output`` becomes a folder of runs.
        num_trials: Number of runs.
        space: What to search; default: see `default_space`.

    Returns:
        The trials; ``trials.json`` and ``best.toml`` are in the output folder.

    Raises:
        UserError: Optuna is not installed, the recipe has many runs, a setting is not known, or no trial ended well.
    """
    optuna = _optuna()
    recipe = named_recipe(request)
    if recipe.has_many_runs:
        raise UserError(
            f"tune needs a recipe of one run, got {recipe.name}, which has many; leave out [grid], [[run]] and seeds"
        )
    own = settle(recipe, request)
    space = dict(space or default_space(own))
    _require_known(space, request)
    misled = sorted(space.keys() & _CHANGE_THE_LOSS) if is_judged_by_loss(own) else []
    if misled:
        logger.warning(
            "trials are judged by the loss on held-out rows, which %s changes without making the model better; name"
            " --data-dir to judge by STS-B dev, or do not search it",
            ", ".join(misled),
        )
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=own.seed))
    study.enqueue_trial(_inside(_own_settings(own, space), space))
    trials: list[Trial] = []

    def objective(proposal: Any) -> float:
        settings = {name: _proposed(proposal, name, where) for name, where in space.items()}
        trials.append(_tried(request, settings, f"trial-{proposal.number:03d}"))
        _save(request, trials, own.seed)
        logger.info("%s: %s", trials[-1].folder, trials[-1].failure or _shown(trials[-1].metric, trials[-1].value))
        if trials[-1].value is None:
            raise optuna.TrialPruned(trials[-1].failure)
        return trials[-1].gain

    study.optimize(objective, n_trials=num_trials)
    found = Tuned(trials=trials)
    if found.best.value is None:
        raise UserError(f"no trial finished; the first one failed: {trials[0].failure}")
    return found


def _optuna() -> Any:
    try:
        import optuna  # noqa: PLC0415 an optional extra
    except ImportError as error:
        raise UserError("tune needs optuna, which is not installed; pip install 'selfsent[tune]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _require_known(space: Space, request: Request) -> None:
    """Refuse an unknown option (by settling a run with a first value of each), and one that --set fixes as well."""
    fixed = {*request.settings, *(f"training.{name}" for name in request.training)}
    twice = sorted(fixed & space.keys())
    if twice:
        raise UserError(
            f"{', '.join(twice)} must be either fixed (--set) or searched (--search), got both; leave one out"
        )
    values = {name: _first(where) for name, where in space.items()}
    settle(named_recipe(request), replace(request, settings={**request.settings, **values}))


def _first(where: Range | Choice) -> Any:
    if isinstance(where, Choice):
        return where.values[0]
    return int(where.low) if where.is_whole else where.low


def _own_settings(run: Run[Any], space: Space) -> dict[str, Any]:
    """Give the recipe's own values of the settings that are searched."""
    options, arguments = split_settings(dict.fromkeys(space))
    found = {name: getattr(run.config, name) for name in options}
    return found | {f"training.{name}": run.training[name] for name in arguments if name in run.training}


def _inside(values: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """Keep the values that lie inside the search space; Optuna draws the others."""

    def is_inside(value: Any, where: Range | Choice) -> bool:
        return value in where.values if isinstance(where, Choice) else where.low <= value <= where.high

    return {name: value for name, value in values.items() if is_inside(value, space[name])}


def _proposed(proposal: Any, name: str, where: Range | Choice) -> Any:
    if isinstance(where, Choice):
        return proposal.suggest_categorical(name, list(where.values))
    if where.is_whole:
        return proposal.suggest_int(name, int(where.low), int(where.high), log=where.is_log)
    return proposal.suggest_float(name, where.low, where.high, log=where.is_log)


def _tried(request: Request, settings: Mapping[str, Any], name: str) -> Trial:
    """Train one run, or continue it, and remove its checkpoints."""
    folder = Path(request.output).expanduser() / name
    wanted = replace(
        request, output=folder, settings={**request.settings, **settings}, resume=(folder / "run.json").is_file()
    )
    try:
        train_run(settle(named_recipe(wanted), wanted))
    except UserError as error:
        return Trial(folder=name, settings=settings, failure=str(error))
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    best = RunFolder(folder).record().get("best")
    if best is None:
        return Trial(folder=name, settings=settings, failure="nothing measured it; name --data-dir, or give more data")
    metric = str(best["metric"]).removeprefix("eval_")
    return Trial(folder=name, settings=settings, metric=metric, value=float(best["value"]))


def _save(request: Request, trials: Sequence[Trial], seed: int) -> None:
    """Write the trials so far, and the best of them as a recipe."""
    folder, found = Path(request.output).expanduser(), Tuned(trials=trials)
    rows = [
        {
            "folder": one.folder,
            "settings": one.settings,
            "metric": one.metric,
            "value": one.value,
            "failure": one.failure,
        }
        for one in trials
    ]
    with atomic_path(folder / TRIALS_FILE) as aside:
        aside.write_text(json.dumps({"trials": rows, "best": found.best.folder}, indent=2), encoding="utf8")
    if found.best.value is not None:
        with atomic_path(folder / BEST_FILE) as aside:
            aside.write_text(best_recipe(request, found, seed), encoding="utf8")


def best_recipe(request: Request, found: Tuned, seed: int) -> str:
    """Write the best trial as a recipe.

    Args:
        request: What a person would train.
        found: The trials.
        seed: Random seed of the trials.
    """
    best, recipe = found.best, named_recipe(request)
    options, arguments = split_settings(best.settings)
    asked_options, asked_arguments = split_settings(request.settings)
    title = f"{recipe.name}, tuned over {len(found.trials)} trials: {_shown(best.metric, best.value)} {best.metric}"
    head = {"method": recipe.method, "title": title, "answers": recipe.answers or "no paper", "seed": seed}
    tables = {
        "options": {**recipe.options, **asked_options, **options},
        "training": {**recipe.training, **asked_arguments, **request.training, **arguments},
    }
    parts = [_toml(head), *(f"[{name}]\n{_toml(table)}" for name, table in tables.items() if table)]
    return "\n".join(parts)


def _toml(table: Mapping[str, Any]) -> str:
    return "".join(f"{name} = {_toml_value(value)}\n" for name, value in table.items())


def _toml_value(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{json.dumps(name)} = {_toml_value(one)}" for name, one in value.items())
        return f"{{ {inner} }}"
    return json.dumps("none" if value is None else value)


def _number(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _shown(metric: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if metric.endswith("loss") else metric_named(metric).shown(value)
