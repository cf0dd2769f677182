"""The suite ``mteb:NAME``: any task of mteb, scored by mteb's own code, where its data are on this machine.

The data are the pairs of ``DATA/sts/NAME`` where they are there (their white space is ours, see
`selfsent.evaluation.bridges.mteb_bridge`), else what the hub's cache holds, or the hub itself where it may be asked.
mteb gives one figure a task and language and no outcomes by item, so there is no interval.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from selfsent.errors import UserError, did_you_mean
from selfsent.evaluation.metrics import METRICS, Metric
from selfsent.evaluation.ranking import Ranker
from selfsent.evaluation.score import Score
from selfsent.evaluation.sentence_vectors import Encoder
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.tasks.sts import read_pairs

_OURS = {"cosine_spearman": "spearman", "ndcg_at_10": "ndcg@10"}
"""Metrics that have another name here."""


def evaluate_task(name: str, model: Encoder | Ranker, data_dir: Path | None, options: SuiteOptions) -> list[Score]:
    """Score a model on a task of mteb.

    Args:
        name: Name of the task in mteb, such as ``STS12`` or ``SciFact``.
        model: A model of the host.
        data_dir: Folder that may hold ``sts/NAME``.
        options: The settings of the protocol; ``split`` and ``batch_size`` are looked at.

    Returns:
        mteb's main score, one a language of the task, without interval.

    Raises:
        UserError: mteb is not installed, has no such task, or the task's data are not here.
    """
    mteb = _mteb()
    task = _task(mteb, name)
    if data_dir is not None and (data_dir / "sts" / name / f"{options.split}.jsonl").is_file():
        use_pairs(task, data_dir, name, split=options.split)
    try:
        if not task.data_loaded:
            task.load_data()
        results = mteb.evaluate(
            model, [task], cache=None, encode_kwargs={"batch_size": options.batch_size}, show_progress_bar=False
        )
    except (OSError, ValueError, ImportError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"mteb:{name} cannot be scored: its data are neither in DATA/sts/{name} nor in the hub's cache, or cannot"
            f" be read ({reason}); load the task once with a network, or choose another"
        ) from error
    (found,) = results.task_results
    return list(_scores(name, found.scores, str(task.metadata.main_score)))


def use_pairs(task: Any, data_dir: Path, name: str, *, split: str = "test") -> None:
    """Give one of mteb's STS tasks our pairs in place of those it would fetch.

    Raises:
        UserError: The file of pairs is missing or wrong.
    """
    from datasets import Dataset, DatasetDict  # noqa: PLC0415 takes a second to import

    pairs = read_pairs(data_dir, name, split)
    columns = {"sentence1": pairs.sentences1, "sentence2": pairs.sentences2, "score": pairs.gold.tolist()}
    task.dataset = DatasetDict({"test": Dataset.from_dict(columns)})
    task.data_loaded = True


def _mteb() -> Any:
    try:
        import mteb  # noqa: PLC0415 an optional extra, seconds to import
    except ImportError as error:
        raise UserError("suites of mteb need mteb, which is not installed; pip install 'selfsent[eval]'") from error
    return mteb


def _task(mteb: Any, name: str) -> Any:
    try:
        return mteb.get_task(name)
    except KeyError as error:
        known = [str(task.metadata.name) for task in mteb.get_tasks()]
        raise UserError(f"mteb has no task {name}{did_you_mean(name, known)}; mteb.get_tasks() lists them") from error


def _scores(name: str, by_split: Mapping[str, Any], main: str) -> Iterator[Score]:
    """One score a language; the split is named where there is more than one."""
    ours = _OURS.get(main, main)
    known = METRICS.get(ours)
    metric = Metric(name=ours, better="higher", unit="fraction" if known is None else known.unit)
    for split, languages in by_split.items():
        for language in languages:
            parts = [name, *([split] if len(by_split) > 1 else [])]
            parts += [str(language["hf_subset"])] if len(languages) > 1 else []
            yield Score(
                task="mteb:" + "/".join(parts),
                metric=metric,
                value=float(language["main_score"]),
                ci95=None,
                num_items=0,
                also={"split": split, "metric of mteb": main},
            )
