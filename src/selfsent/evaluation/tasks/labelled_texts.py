"""The data of the probes: texts with a class, from local files or from the hub.

Layout, each file also compressed: ``glue/{sst2,rte,wnli}/{train,dev}.tsv`` (a header, never quoted);
``glue/mrpc/{train,test}.jsonl``; ``sts/SICK-R/{train,test}.jsonl`` (its column ``entailment``); ``nli/train.jsonl``
(rows whose ``source`` is ``snli``) and ``nli/snli-test.jsonl``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selfsent.errors import UserError
from selfsent.evaluation.records import HubData, Record, find_file, read_records

_UNLABELLED = {"-1", "-", ""}


@dataclass(frozen=True, kw_only=True)
class ProbeTask:
    """Where the two splits of a task are, and what its classifier sees.

    Args:
        train: File of the training split under the data folder, without compression suffix.
        test: File of the split that is reported.
        columns: Names of the text columns.
        label: Name of the class column.
        features: Parts of the classifier's input, see ``selfsent.evaluation.tasks.probe.combine``.
        hub: The data set on the hub; ``None`` where the hub has none.
        hub_splits: Its training split and the one that is reported.
        only: Rows kept: a column and the value it must have, where the column is there.
    """

    train: str
    test: str
    columns: tuple[str, ...]
    label: str = "label"
    features: str
    hub: HubData | None = None
    hub_splits: tuple[str, str] = ("train", "validation")
    only: tuple[str, str] | None = None


_PAIR = ("sentence1", "sentence2")


def _glue(configuration: str) -> HubData:
    return HubData(name="nyu-mll/glue", revision="main", config=configuration)


PROBE_TASKS: Mapping[str, ProbeTask] = {
    "SST-2": ProbeTask(
        train="glue/sst2/train.tsv",
        test="glue/sst2/dev.tsv",
        columns=("sentence",),
        features="u",
        hub=_glue("sst2"),
    ),
    "RTE": ProbeTask(
        train="glue/rte/train.tsv",
        test="glue/rte/dev.tsv",
        columns=_PAIR,
        features="u,v,|u-v|,u*v",
        hub=_glue("rte"),
    ),
    "WNLI": ProbeTask(
        train="glue/wnli/train.tsv",
        test="glue/wnli/dev.tsv",
        columns=_PAIR,
        features="u,v,|u-v|,u*v",
        hub=_glue("wnli"),
    ),
    "MRPC": ProbeTask(
        train="glue/mrpc/train.jsonl",
        test="glue/mrpc/test.jsonl",
        columns=_PAIR,
        features="|u-v|,u*v",
        hub=_glue("mrpc"),
        hub_splits=("train", "test"),
    ),
    "SICK-E": ProbeTask(
        train="sts/SICK-R/train.jsonl",
        test="sts/SICK-R/test.jsonl",
        columns=_PAIR,
        label="entailment",
        features="|u-v|,u*v",
    ),
    "SNLI": ProbeTask(
        train="nli/train.jsonl",
        test="nli/snli-test.jsonl",
        columns=("premise", "hypothesis"),
        features="u,v,|u-v|,u*v",
        hub=HubData(name="stanfordnlp/snli", revision="main"),
        hub_splits=("train", "test"),
        only=("source", "snli"),
    ),
}
"""The tasks. Features are SentEval's; StrAE states none for RTE and WNLI, which get those of SNLI."""


@dataclass(frozen=True, kw_only=True)
class LabelledTexts:
    """One split: texts by column, and the class of each row.

    Args:
        columns: The texts of each text column.
        labels: The class of each row, as written.
    """

    columns: tuple[tuple[str, ...], ...]
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def texts(self) -> Iterator[str]:
        """Give every text, column by column."""
        return (text for column in self.columns for text in column)

    def rows(self, chosen: NDArray[np.int64]) -> "LabelledTexts":
        """Keep the rows of these numbers, in their order."""
        columns = tuple(tuple(column[row] for row in chosen) for column in self.columns)
        return LabelledTexts(columns=columns, labels=tuple(self.labels[row] for row in chosen))


def sampled(split: LabelledTexts, max_rows: int | None, seed: int) -> LabelledTexts:
    """Draw at most ``max_rows`` rows without replacement, kept in the file's order; ``None`` keeps all."""
    if max_rows is None or len(split) <= max_rows:
        return split
    return split.rows(np.sort(np.random.default_rng(seed).choice(len(split), size=max_rows, replace=False)))


def label_ids(train: LabelledTexts, test: LabelledTexts, task: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the classes of *train* from 0, in the order of their names, and look up those of *test*.

    Args:
        train: The training split.
        test: The split that is reported.
        task: Its name, for the error.

    Raises:
        UserError: *test* holds a class that *train* lacks.
    """
    number = {name: index for index, name in enumerate(sorted(set(train.labels)))}
    unknown = sorted(set(test.labels) - set(number))
    if unknown:
        raise UserError(
            f"{task}: the test set holds the class {unknown[0]!r}, which its training set ({', '.join(number)}) lacks; "
            "check that both files come from one data set"
        )
    train_ids, test_ids = (np.array([number[name] for name in split.labels], dtype=np.int64) for split in (train, test))
    return train_ids, test_ids


def read_task(name: str, task: ProbeTask, data_dir: Path | None) -> tuple[LabelledTexts, LabelledTexts]:
    """Read the training split of a task and the one that is reported.

    Args:
        name: Name of the task, for errors.
        task: Where its data are.
        data_dir: The data folder; ``None`` for the hub.

    Raises:
        UserError: A file is missing or wrong, or the hub cannot be reached.
    """
    wanted = (*task.columns, task.label)
    if data_dir is not None:
        files = [find_file(data_dir, file, columns=wanted) for file in (task.train, task.test)]
        train, test = (labelled(read_records(file, columns=wanted), task) for file in files)
    elif task.hub is not None:
        train, test = (
            labelled(replace(task.hub, split=split).records(columns=wanted, instead=file), task)
            for split, file in zip(task.hub_splits, (task.train, task.test), strict=True)
        )
    else:
        raise UserError(f"{name} is not on the hub; name a folder that holds {task.train} with --data-dir")
    return train, test


def labelled(records: Sequence[Record], task: ProbeTask) -> LabelledTexts:
    """Keep the rows that belong to a task and have a class (SNLI marks pairs without a majority by -1 or a dash).

    Args:
        records: The rows of a file.
        task: Says which columns are which, and which rows belong.

    Raises:
        UserError: A text is missing, or no row is left.
    """
    kept = [record for record in records if task.only is None or record.values.get(*task.only) == task.only[1]]
    classes = [str(record.values[task.label]).strip() for record in kept]
    kept = [record for record, name in zip(kept, classes, strict=True) if name not in _UNLABELLED]
    if not kept:
        place = records[0].place.rpartition(",")[0]
        raise UserError(f"{place} holds no row with a {task.label}; it must have the columns {', '.join(task.columns)}")
    columns = tuple(tuple(record.text(column) for record in kept) for column in task.columns)
    return LabelledTexts(columns=columns, labels=tuple(name for name in classes if name not in _UNLABELLED))
