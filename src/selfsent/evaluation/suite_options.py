"""The settings of the protocol that every suite takes."""

from dataclasses import dataclass
from typing import Literal

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
        num_resamples: Number of resamples of each bootstrap interval.
        seed: Random seed.
        teacher: Folder or hub name of the model that ``teacher-error`` compares with.
        data: Source of the documents of ``own-documents``.
        max_train_rows: Probes train on at most this many rows of a task, drawn with the seed; ``None`` for all.
    """

    split: Literal["test", "dev"] = "test"
    aggregation: Aggregation = "all"
    languages: tuple[str, ...] = ()
    batch_size: int = 64
    num_resamples: int = 1000
    seed: int = 0
    max_train_rows: int | None = 20_000
    teacher: str | None = None
    data: str | None = None
