"""The bridge to mteb: its STS tasks on local pairs, scored by its own code, to check our figures.

mteb gets the very texts that the suite ``sts`` encodes, runs of white space made one space; from its own data sets it
would take them as they are. Its figures then equal ours to 1e-6: both correlate cosines of float32 precision, and
differ in how the last bit is rounded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer

from selfsent.errors import UserError
from selfsent.evaluation.metrics import METRICS
from selfsent.evaluation.report import STS7
from selfsent.evaluation.score import Score
from selfsent.evaluation.tasks.mteb_task import use_pairs
from selfsent.evaluation.tasks.sts import read_pairs

_PAIRS_OF_MTEB = {"SICK-R": 9927}
"""Pairs of a task in mteb where they are not the test split that papers, and we, score."""


def score_with_mteb(
    model: SentenceTransformer,
    data_dir: str | Path,
    *,
    tasks: Sequence[str] = STS7,
    batch_size: int = 64,
) -> list[Score]:
    """Let mteb score a model on the local STS files; nothing is fetched and nothing is written.

    Args:
        model: The model; modules of this package work as any other.
        data_dir: Folder with ``sts/``.
        tasks: Names of STS tasks, the same in mteb and in the folder.
        batch_size: Texts encoded at once.

    Returns:
        mteb's ``cosine_spearman`` of each task, without interval. ``also`` notes where mteb's own data set has other
        pairs: its SICK-R has 9,927 (train, dev and test together), the local file the 4,927 of the test split.

    Raises:
        UserError: mteb is not installed, a file is missing, or mteb has no such task.
    """
    try:
        import mteb  # noqa: PLC0415 an optional extra, seconds to import
    except ImportError as error:
        raise UserError("the bridge needs mteb, which is not installed; pip install 'selfsent[eval]'") from error
    folder = Path(data_dir)
    local = [_local_task(mteb, name, folder) for name in tasks]
    results = mteb.evaluate(model, local, cache=None, encode_kwargs={"batch_size": batch_size}, show_progress_bar=False)
    found = {result.task_name: result.scores["test"][0] for result in results.task_results}
    return [_score(name, found[name], folder) for name in tasks]


def _local_task(mteb: Any, name: str, data_dir: Path) -> Any:
    """Give mteb's task with our pairs in place of those it would fetch."""
    read_pairs(data_dir, name)  # a missing file is named before an unknown task
    try:
        task = mteb.get_task(name)
    except KeyError as error:
        raise UserError(f"mteb has no task {name}; the STS tasks are {', '.join(STS7)}") from error
    use_pairs(task, data_dir, name)
    return task


def _score(name: str, found: Mapping[str, Any], data_dir: Path) -> Score:
    num_pairs = len(read_pairs(data_dir, name).gold)
    also: dict[str, float | int | str] = {"pearson": float(found["cosine_pearson"])}
    if _PAIRS_OF_MTEB.get(name, num_pairs) != num_pairs:
        also["note"] = f"{num_pairs} local pairs; mteb's own data set has {_PAIRS_OF_MTEB[name]}"
    return Score(
        task=name,
        metric=replace(METRICS["spearman"], statistic=None),
        value=float(found["cosine_spearman"]),
        ci95=None,
        num_items=num_pairs,
        also=also,
    )
