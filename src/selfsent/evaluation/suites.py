"""The suites of ``selfsent evaluate`` by name, and what each of them is: a function from a model to scores.

A suite lives in a module of its own with one entry point::

    def evaluate(model: Encoder, data_dir: Path | None, options: SuiteOptions) -> list[Score]: ...

``data_dir`` is the folder that holds ``sts/``, ``retrieval/`` and so on; ``None`` asks for the data set of the hub. A
suite returns one ``Score`` a task, in a fixed order, and raises ``UserError`` where a file is missing or wrong.
Modules are imported when their suite is first run.
"""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Protocol

from selfsent.errors import UserError, did_you_mean
from selfsent.evaluation.ranking import Ranker
from selfsent.evaluation.report import Report
from selfsent.evaluation.score import Score
from selfsent.evaluation.sentence_vectors import Encoder, remembering
from selfsent.evaluation.suite_options import SuiteOptions

_LOG = logging.getLogger(__name__)


class Suite(Protocol):
    """Scores a model on the tasks of one suite."""

    def __call__(self, model: Encoder | Ranker, data_dir: Path | None, options: SuiteOptions) -> list[Score]:
        """Score ``model``; see the module's description."""
        ...


def _run(module: str, model: Encoder | Ranker, data_dir: Path | None, options: SuiteOptions) -> list[Score]:
    evaluate: Suite = import_module(f"selfsent.evaluation.tasks.{module}").evaluate
    return evaluate(model, data_dir, options)


def _run_mteb(task: str, model: Encoder | Ranker, data_dir: Path | None, options: SuiteOptions) -> list[Score]:
    module = import_module("selfsent.evaluation.tasks.mteb_task")
    return module.evaluate_task(task, model, data_dir, options)


SUITES: Mapping[str, Suite] = {
    "sts": partial(_run, "sts"),
    "sts-multilingual": partial(_run, "sts_multilingual"),
    "sts-crosslingual": partial(_run, "sts_crosslingual"),
    "lexical": partial(_run, "lexical"),
    "probe": partial(_run, "probe"),
    "retrieval": partial(_run, "retrieval"),
    "docs": partial(_run, "docs_retrieval"),
    "own-documents": partial(_run, "own_documents"),
    "rerank": partial(_run, "rerank"),
    "bitext": partial(_run, "bitext"),
    "language-bias": partial(_run, "language_bias"),
    "teacher-error": partial(_run, "teacher_error"),
    "geometry": partial(_run, "geometry"),
    "structure": partial(_run, "structure"),
}
"""Every suite by its name on the command line."""

_OF_MTEB = "mteb:"


def is_of_mteb(name: str) -> bool:
    """Tell whether a suite's name is that of a task of mteb, ``mteb:NAME``."""
    return name.startswith(_OF_MTEB) and len(name) > len(_OF_MTEB)


def suite_named(name: str) -> Suite:
    """Give a suite by its name; ``mteb:NAME`` is a task of mteb."""
    return partial(_run_mteb, name.removeprefix(_OF_MTEB)) if name.startswith(_OF_MTEB) else SUITES[name]


def suite_names(suites: str | Sequence[str]) -> tuple[str, ...]:
    """Read a choice of suites.

    Args:
        suites: Names, or one string of names with commas between them.

    Returns:
        The names, each once, in the order asked for.

    Raises:
        UserError: A name is not a suite, or no name is given.
    """
    names = [name.strip() for name in (suites.split(",") if isinstance(suites, str) else suites)]
    chosen = tuple(dict.fromkeys(name for name in names if name))
    unknown = [name for name in chosen if name not in SUITES and not is_of_mteb(name)]
    if unknown or not chosen:
        near = "".join(did_you_mean(name, SUITES) for name in unknown[:1])
        received = f"no suite named {', '.join(unknown)}{near}" if unknown else "no suite was named"
        raise UserError(f"{received}; the suites are {', '.join(SUITES)}, and mteb:NAME for a task of mteb")
    return chosen


_USED_BY = {
    "languages": ("sts-multilingual", "sts-crosslingual", "language-bias"),
    "teacher": ("teacher-error",),
    "data": ("own-documents",),
}


def refuse_unused(options: SuiteOptions, suites: Sequence[str]) -> None:
    """Refuse a setting that none of the suites looks at.

    Args:
        options: The settings.
        suites: Names of the suites that will run.

    Raises:
        UserError: A teacher or languages are named, and no suite that asks for them.
    """
    for setting, users in _USED_BY.items():
        if getattr(options, setting) and not set(users).intersection(suites):
            raise UserError(
                f"--{setting} is for the suites {', '.join(users)}, none of which was asked for; name one with --suite "
                f"or leave --{setting} out"
            )


def evaluate(
    model: Encoder | Ranker | str | Path,
    suites: str | Sequence[str] = "sts",
    data_dir: str | Path | None = None,
    *,
    options: SuiteOptions | None = None,
    name: str | None = None,
    device: str | None = None,
) -> Report:
    """Score a model on suites of tasks.

    Args:
        model: A model (for ``retrieval`` and ``rerank`` also a ranker such as BM25), or the path or hub name of one.
        suites: Names of suites, in a sequence or with commas between them.
        data_dir: The folder of the evaluation data; ``None`` takes what the hub has.
        options: The settings of the protocol.
        name: What to call the model in the report; default: its path, or its class.
        device: Where to put a model that is given by its path.

    Returns:
        The scores with their intervals, averages and provenance.

    Raises:
        UserError: A suite, the model or a data file does not exist or is wrong, or the embeddings are.
    """
    chosen = suite_names(suites)
    options = options or SuiteOptions()
    folder = None if data_dir is None else Path(data_dir)
    if folder is not None and not folder.is_dir():
        raise UserError(f"--data-dir must be a folder that holds sts/, lexical/, retrieval/, ..., got {folder}")

    def scorings(encoder: Encoder | Ranker) -> dict[str, Callable[[], list[Score]]]:
        return {suite: partial(suite_named(suite), encoder, folder, options) for suite in chosen}

    return report_of(
        model, scorings, options=options, data="hub" if folder is None else "local", name=name, device=device
    )


def report_of(
    model: Encoder | Ranker | str | Path,
    scorings: Callable[[Encoder | Ranker], Mapping[str, Callable[[], list[Score]]]],
    *,
    options: SuiteOptions,
    data: str,
    name: str | None = None,
    device: str | None = None,
) -> Report:
    """Open a model, run the scorings on it, and put what they say and where it comes from into a report.

    Args:
        model: A model, or the path or hub name of one.
        scorings: Gives, for the opened model, what to run by name.
        options: The settings that the scorings use, for the record.
        data: Where the data is from, for the record.
        name: What to call the model; default: its path, or its class.
        device: Where to put a model that is given by its path.

    Raises:
        UserError: The model does not exist, or what a scoring raises.
    """
    encoder, label, model_hash = _opened(model, device)
    scores: list[Score] = []
    seconds: dict[str, float] = {}
    with remembering():
        for suite, scoring in scorings(encoder).items():
            start = time.perf_counter()
            taken = {score.task for score in scores}
            scores += [
                replace(score, task=f"{suite}/{score.task}") if score.task in taken else score
                for score in _defined(scoring())
            ]
            seconds[suite] = time.perf_counter() - start
    return Report(
        model=name or label,
        scores=tuple(scores),
        dimension=embedding_dimension(encoder),
        model_hash=model_hash,
        settings={"suites": list(seconds), "data": data} | asdict(options),
        seconds=seconds,
    )


def _defined(scores: Sequence[Score]) -> list[Score]:
    """Leave out, with a note, what cannot be computed on the data, such as a bias where all lengths are equal."""
    for score in scores:
        if math.isnan(score.value):
            _LOG.warning("%s is left out: %s is not defined on these data", score.task, score.metric.name)
    return [score for score in scores if not math.isnan(score.value)]


def _opened(model: Encoder | Ranker | str | Path, device: str | None) -> tuple[Encoder | Ranker, str, str | None]:
    """The model, what to call it, and its content hash if it stands in a folder."""
    if not isinstance(model, str | Path):
        return model, type(model).__name__, None
    from selfsent.loading import load, model_content_hash  # noqa: PLC0415 the host takes seconds to import

    return load(model, device=device), str(model), model_content_hash(model) if Path(model).is_dir() else None


def embedding_dimension(model: Encoder | Ranker) -> int | None:
    """Give the width of a model's embeddings, by embedding a word; ``None`` for a ranker such as BM25."""
    if isinstance(model, Ranker):
        return None
    return int(model.encode(["dimension"], batch_size=1, show_progress_bar=False).shape[-1])
