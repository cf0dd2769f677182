"""The suites of ``selfsent evaluate`` by name, and what each of them is: a function from a model to scores.

A suite lives in a module of its own with one entry point::

    def evaluate(model: Encoder, data_dir: Path | None, options: SuiteOptions) -> list[Score]: ...

``data_dir`` is the folder that holds ``sts/``, ``retrieval/`` and so on; ``None`` asks for the data set of the hub. A
suite returns one ``Score`` a task, in a fixed order, and raises ``UserError`` where a file is missing or wrong.
Modules are imported when their suite is first run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Literal, Protocol

from selfsent.errors import UserError
from selfsent.evaluation.score import Score
from selfsent.evaluation.sentence_vectors import Encoder

Aggregation = Literal["all", "mean", "wmean"]


@dataclass(frozen=True, kw_only=True)
class SuiteOptions:
    """The settings of the protocol; the defaults are the ones every published figure of this project uses.

    Args:
        split: Which split to score. Tune on ``dev``; ``test`` is for the final figure.
        aggregation: How STS tasks made of subsets are scored: ``all`` pairs together, ``mean`` of the subsets,
            ``wmean`` weighted by their sizes.
        languages: Languages of multilingual STS (``de``), pairs of them for the cross-lingual task (``en-de``); empty:
            every language that is there.
        batch_size: Texts encoded at once.
        num_resamples: Of each bootstrap interval.
        seed: Of everything random.
        max_train_rows: Probes train on at most this many rows of a task, drawn with the seed; ``None`` for all.
    """

    split: Literal["test", "dev"] = "test"
    aggregation: Aggregation = "all"
    languages: tuple[str, ...] = ()
    batch_size: int = 64
    num_resamples: int = 1000
    seed: int = 0
    max_train_rows: int | None = 20_000


class Suite(Protocol):
    """Scores a model on the tasks of one suite."""

    def __call__(self, model: Encoder, data_dir: Path | None, options: SuiteOptions) -> list[Score]:
        """Score ``model``; see the module's description."""
        ...


def _run(module: str, model: Encoder, data_dir: Path | None, options: SuiteOptions) -> list[Score]:
    evaluate: Suite = import_module(f"selfsent.evaluation.{module}").evaluate
    return evaluate(model, data_dir, options)


SUITES: Mapping[str, Suite] = {
    "sts": partial(_run, "sts"),
    "sts-multilingual": partial(_run, "sts_multilingual"),
    "lexical": partial(_run, "lexical"),
    "probe": partial(_run, "probe"),
    "retrieval": partial(_run, "retrieval"),
    "rerank": partial(_run, "rerank"),
    "bitext": partial(_run, "bitext"),
    "geometry": partial(_run, "geometry"),
    "structure": partial(_run, "structure"),
}
"""Every suite by its name on the command line."""


def suite_names(suites: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """Read a choice of suites.

    Args:
        suites: Names, or one string of names with commas between them.

    Returns:
        The names, each once, in the order asked for.

    Raises:
        UserError: A name is no suite, or none is given.
    """
    names = [name.strip() for name in (suites.split(",") if isinstance(suites, str) else suites)]
    chosen = tuple(dict.fromkeys(name for name in names if name))
    unknown = [name for name in chosen if name not in SUITES]
    if unknown or not chosen:
        received = f"no suite named {', '.join(unknown)}" if unknown else "no suite was named"
        raise UserError(f"{received}; the suites are {', '.join(SUITES)}")
    return chosen
