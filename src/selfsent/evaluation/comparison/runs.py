"""Runs to compare: a model folder, evaluated once and remembered beside it, or a report that was saved before."""

import json
import logging
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from selfsent.errors import UserError
from selfsent.evaluation.metrics_log import METRICS_FILE, read_metrics
from selfsent.evaluation.report import Report, load_report
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.suites import embedding_dimension, evaluate, suite_names
from selfsent.loading import load, model_content_hash
from selfsent.model_content import has_content_hash

CACHE_FOLDER = "evaluation"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One model in a comparison.

    Args:
        name: What to call it, unlike any other run of the comparison.
        report: Its scores.
        curve: The lines of its ``metrics.jsonl``, empty where it has none.
    """

    name: str
    report: Report
    curve: Sequence[Mapping[str, Any]] = ()


def open_runs(
    paths: Sequence[str | Path],
    *,
    suites: str | Sequence[str] = ("sts", "geometry"),
    data_dir: str | Path | None = None,
    options: SuiteOptions | None = None,
) -> list[Run]:
    """Open runs, evaluating what has not been evaluated yet.

    Args:
        paths: Model or run folders, or reports of ``selfsent evaluate --json``.
        suites: What folders are evaluated on.
        data_dir: The evaluation data. Where it is not given, only remembered evaluations are used.
        options: The settings of the protocol.

    Returns:
        The runs in order, named by their paths as briefly as tells them apart.

    Raises:
        UserError: A path is not a run, there is nothing to evaluate it by, or its model has changed since.
    """
    options = options or SuiteOptions()
    names = brief_names(paths)
    runs: list[Run] = []
    for path, name in zip(map(Path, paths), names, strict=True):
        report = _saved(path) if path.is_file() else _evaluated(path, suite_names(suites), data_dir, options)
        curve = read_metrics(path / METRICS_FILE) if path.is_dir() else []
        runs.append(Run(name=name, report=replace(report, model=name), curve=curve))
    return runs


def brief_names(paths: Sequence[str | Path]) -> list[str]:
    """Name each path by as few of its last parts as tell all of them apart.

    Raises:
        UserError: A path is given twice.
    """
    parts = [
        Path(path).resolve().with_suffix("").parts if Path(path).is_file() else Path(path).resolve().parts
        for path in paths
    ]
    if len(set(parts)) < len(parts):
        raise UserError(f"a run is named twice among {', '.join(map(str, paths))}; name each once")
    for depth in range(1, max(map(len, parts), default=0) + 1):
        names = ["/".join(part[-depth:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return []


def _saved(path: Path) -> Report:
    """Read a report; refuse it where the model it names has changed since."""
    report = load_report(path)
    folder = Path(report.model)
    if report.model_hash is not None and folder.is_dir() and not has_content_hash(folder, report.model_hash):
        again = ["selfsent", "evaluate", str(folder), "--json", str(path)]
        raise _changed(folder, report, f"run `{shlex.join(again)}` again")
    return report


def _evaluated(folder: Path, suites: Sequence[str], data_dir: str | Path | None, options: SuiteOptions) -> Report:
    """Evaluate a model folder on each suite, or take what is remembered of it."""
    if not folder.exists():
        raise UserError(f"no run at {folder}: there is neither a model folder nor a report; check the path")
    nested = folder / "model"
    model = nested if not (folder / "modules.json").is_file() and (nested / "modules.json").is_file() else folder
    reports = [_suite_report(model, folder / CACHE_FOLDER / f"{suite}.json", data_dir, options) for suite in suites]
    return replace(
        reports[0],
        scores=tuple(score for report in reports for score in report.scores),
        seconds={suite: seconds for report in reports for suite, seconds in report.seconds.items()},
    )


def _suite_report(model: Path, cache: Path, data_dir: str | Path | None, options: SuiteOptions) -> Report:
    """Take what ``cache`` remembers of the suite it is named after, or evaluate and write it there."""
    suite = cache.stem
    wanted = json.loads(json.dumps(asdict(options)))
    remembered = _remembered(cache, can_be_done_again=data_dir is not None)
    if data_dir is None:
        if remembered is None:
            raise UserError(f"{model} has not been evaluated on {suite}; name the evaluation data with --data-dir")
        if not has_content_hash(model, remembered.model_hash):
            raise _changed(model, remembered, "evaluate it anew with --data-dir")
        return remembered
    wanted["data_dir"] = str(Path(data_dir).resolve())
    if remembered is not None and has_content_hash(model, remembered.model_hash):
        settings = {name: remembered.settings.get(name) for name in wanted}
        if settings == wanted:
            return remembered
    report = evaluate(str(model), suite, data_dir, options=options)
    report = replace(report, settings={**report.settings, "data_dir": wanted["data_dir"]})
    try:
        report.save(cache)
    except UserError as error:
        _LOG.warning("the evaluation of %s on %s is not remembered: %s", model, suite, error)
    return report


def _remembered(cache: Path, *, can_be_done_again: bool) -> Report | None:
    """Read what was remembered; what is damaged counts as forgotten where the suite can be evaluated again."""
    if not cache.is_file():
        return None
    try:
        return load_report(cache)
    except UserError as error:
        if not can_be_done_again:
            raise
        _LOG.warning("%s; the suite is evaluated again", error)
        return None


def _changed(model: Path, report: Report, remedy: str) -> UserError:
    dimension = embedding_dimension(load(model))
    return UserError(
        f"{model} changed since it was evaluated: then {report.dimension} dimensions and content "
        f"{str(report.model_hash)[:12]}, now {dimension} and {model_content_hash(model)[:12]}; {remedy}"
    )
