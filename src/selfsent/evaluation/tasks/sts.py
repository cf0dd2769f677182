"""The suite ``sts``: how well cosine similarity ranks pairs of sentences as people do, on the seven English tasks.

Protocol: cosine of the sentence embeddings, no regressor; Spearman's rank correlation, by default over all pairs of a
task together, whatever subsets it is made of; the test split; ``sts7`` is the plain mean of the seven, unrounded. Runs
of white space are one space, as in SentEval. Every distinct sentence is encoded once.

Layout: ``sts/{task}/{split}.jsonl`` with ``sentence1, sentence2, score`` and, for ``mean`` and ``wmean``, ``subset``.

Source: SemEval 2012 to 2016, Cer et al. 2017, Marelli et al. 2014; aggregation ``all`` as Reimers and Gurevych 2019
    and Gao et al. 2021.
Differs: SimCSE's published averages are of figures already rounded to two decimals.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selfsent.errors import UserError
from selfsent.evaluation.metrics import METRICS
from selfsent.evaluation.records import HubData, Record, find_file, read_records
from selfsent.evaluation.report import STS7
from selfsent.evaluation.score import Score
from selfsent.evaluation.sentence_vectors import (
    CollapsedEmbeddingsError,
    Encoder,
    SentenceVectors,
    cosines,
    encode_distinct,
)
from selfsent.evaluation.statistics import STATISTICS, CountedStatistic, Pearson, Spearman, bootstrap_interval
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.printed_text import progress_bar

COLUMNS = ("sentence1", "sentence2", "score")
_TASKS_WITH_DEV = ("STSBenchmark", "SICK-R")
_HUB = {
    "STS12": HubData(name="mteb/sts12-sts", revision="a0d554a64d88156834ff5ae9920b964011b16384"),
    "STS13": HubData(name="mteb/sts13-sts", revision="7e90230a92c190f1bf69ae9002b8cea547a64cca"),
    "STS14": HubData(name="mteb/sts14-sts", revision="6031580fec1f6af667f0bd2da0a551cf4f0b2375"),
    "STS15": HubData(name="mteb/sts15-sts", revision="ae752c7c21bf194d8b67fd573edf7ae58183cbe3"),
    "STS16": HubData(name="mteb/sts16-sts", revision="4d8694f8f0e0100860b497b999b3dbed754a0513"),
    "STSBenchmark": HubData(name="mteb/stsbenchmark-sts", revision="b0fddb56ed78048fa8b90373c8a3cfc37b684831"),
    "SICK-R": HubData(name="mteb/sickr-sts", revision="20a6d6f312dd54037fe07a32d58e5e168867909d"),
}
_HUB_NOTES = {"SICK-R": "the hub's 9,927 pairs: train, dev and test together"}


@dataclass(frozen=True, kw_only=True)
class ScoredPairs:
    """Pairs of sentences with the similarity people gave them.

    Args:
        name: The task they make up.
        sentences1: First sentences.
        sentences2: Second sentences.
        gold: Scores by people, on any scale.
        subsets: The subset of each pair; ``None`` where the data names none.
        note: What a reader of the figure should know about the data.
    """

    name: str
    sentences1: Sequence[str]
    sentences2: Sequence[str]
    gold: NDArray[np.float64]
    subsets: Sequence[str] | None = None
    note: str = ""


def evaluate(model: Encoder, data_dir: Path | None, options: SuiteOptions) -> list[Score]:
    """Score a model on the seven English tasks; with ``split="dev"``, on the two that have one.

    Args:
        model: The model.
        data_dir: Folder with ``sts/``; ``None`` for the hub.
        options: Uses ``split``, ``aggregation``, ``batch_size``, ``num_resamples``, ``seed``.

    Returns:
        Spearman's correlation of each task, Pearson's beside it.

    Raises:
        UserError: A file is missing or wrong, or the embeddings are.
    """
    tasks = STS7 if options.split == "test" else _TASKS_WITH_DEV
    if data_dir is None:
        return score_tasks(model, [pairs_from_hub(task, options.split) for task in tasks], options)
    return score_tasks(model, [read_pairs(data_dir, task, options.split) for task in tasks], options)


def read_pairs(data_dir: Path, task: str, split: str = "test") -> ScoredPairs:
    """Read ``sts/{task}/{split}.jsonl``.

    Args:
        data_dir: Folder with ``sts/``.
        task: ``STSBenchmark`` and so on.
        split: ``test``, ``dev`` or ``train``.

    Raises:
        UserError: The file is missing, or a row is wrong.
    """
    path = find_file(data_dir, f"sts/{task}/{split}.jsonl", columns=COLUMNS)
    return pairs_of(read_records(path, columns=COLUMNS), name=task)


def pairs_from_hub(task: str, split: str = "test") -> ScoredPairs:
    """Fetch one of the seven tasks from the hub.

    Raises:
        UserError: The hub cannot be reached or has no such split.
    """
    if split != "test" and task != "STSBenchmark":
        raise UserError(
            f"the hub has no {split} split of {task}; name a folder with --data-dir that holds sts/{task}/{split}.jsonl"
        )
    hub = _HUB[task]
    data = HubData(name=hub.name, revision=hub.revision, split="validation" if split == "dev" else split)
    records = data.records(columns=COLUMNS, instead=f"sts/{task}/{split}.jsonl")
    return pairs_of(records, name=task, note=_HUB_NOTES.get(task, ""))


def pairs_of(records: Sequence[Record], *, name: str, note: str = "") -> ScoredPairs:
    """Make pairs of rows; a gold score written as text is read as a number, a row without one is an error.

    Raises:
        UserError: A row lacks a sentence or a score; file and line are named.
    """
    has_subsets = all("subset" in record.values for record in records)
    return ScoredPairs(
        name=name,
        sentences1=[_one_spaced(record.text("sentence1")) for record in records],
        sentences2=[_one_spaced(record.text("sentence2")) for record in records],
        gold=np.array([record.number("score") for record in records]),
        subsets=[record.text("subset") for record in records] if has_subsets else None,
        note=note,
    )


def _one_spaced(text: str) -> str:
    return " ".join(text.split())


def score_tasks(model: Encoder, tasks: Sequence[ScoredPairs], options: SuiteOptions) -> list[Score]:
    """Score a model on several tasks, encoding what they share once.

    Args:
        model: The model.
        tasks: Pairs of each task.
        options: See ``evaluate``.

    Raises:
        UserError: The embeddings or the gold scores allow no correlation.
    """
    texts = (text for task in tasks for text in (*task.sentences1, *task.sentences2))
    vectors = encode_distinct(model, texts, batch_size=options.batch_size, what="sentences")
    return [_score(task, vectors, options) for task in progress_bar(tasks, what="bootstrap", unit="task")]


def _score(task: ScoredPairs, vectors: SentenceVectors, options: SuiteOptions) -> Score:
    predicted = cosines(vectors.of(task.sentences1), vectors.of(task.sentences2))
    check_varied(predicted, task.gold, name=task.name, pairs=zip(task.sentences1, task.sentences2, strict=True))
    columns = [predicted, task.gold]
    statistic: CountedStatistic = Spearman()
    if options.aggregation != "all" and task.name not in _TASKS_WITH_DEV:
        statistic = STATISTICS[f"subset_spearman_{options.aggregation}"]
        columns.append(_subset_numbers(task))
    items = np.column_stack(columns)
    value = statistic(items)
    if np.isnan(value):
        raise UserError(f"{task.name}: in no subset do both scores differ; needed for `mean` and `wmean`, use `all`")
    also: dict[str, float | int | str] = {"pearson": Pearson()(items)}
    also |= {"split": "dev"} if options.split == "dev" else {}
    also |= {"note": task.note} if task.note else {}
    return Score(
        task=task.name,
        metric=replace(METRICS["spearman"], statistic=statistic),
        value=value,
        ci95=bootstrap_interval(items, statistic, num_resamples=options.num_resamples, seed=options.seed),
        num_items=len(items),
        also=also,
        items=items,
    )


def _subset_numbers(task: ScoredPairs) -> NDArray[np.float64]:
    if task.subsets is None:
        raise UserError(
            f"{task.name}: the data names no `subset` of its pairs; needed for `mean` and `wmean`, use `all`"
        )
    return np.unique(np.asarray(task.subsets), return_inverse=True)[1].astype(np.float64)


def check_varied(
    predicted: NDArray[np.float64], gold: NDArray[np.float64], *, name: str, pairs: Iterable[tuple[str, str]]
) -> None:
    """Refuse to correlate what does not vary.

    Args:
        predicted: Similarities of the model.
        gold: Similarities by people.
        name: The task, for the error.
        pairs: The texts compared. Equal texts have equal embeddings, so similarities of 1 alone are not a collapse.

    Raises:
        UserError: One of the two is constant.
    """
    if np.ptp(gold) == 0:
        raise UserError(f"{name}: all {len(gold)} gold scores are {gold[0]:g}; a correlation needs scores that differ")
    if np.ptp(predicted) <= np.finfo(np.float32).eps:
        if all(one.casefold() == other.casefold() for one, other in pairs):
            raise UserError(
                f"{name}: both texts of every pair are equal, so every similarity is {predicted[0]:g};"
                " a correlation needs pairs of different texts"
            )
        raise CollapsedEmbeddingsError(
            f"{name}: the model gives all {len(gold)} pairs the similarity {predicted[0]:.4f}; it has collapsed, "
            "no score is given"
        )
