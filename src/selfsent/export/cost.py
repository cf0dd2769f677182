"""What an export costs: bytes, texts a second, and points on sts7 and on the suite ``own-documents``."""

import builtins
import heapq
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from selfsent.data.heldout import hash_of_text
from selfsent.documents.documents import open_documents
from selfsent.errors import UserError
from selfsent.evaluation.records import find_file
from selfsent.evaluation.report import STS7
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.suites import evaluate
from selfsent.evaluation.tasks.own_documents import passage_texts
from selfsent.evaluation.tasks.sts import COLUMNS, read_pairs
from selfsent.loading import open_to_encode
from selfsent.model_content import model_files

MAX_TEXTS = 20_000
"""Largest number of passages that directions are fitted on; those with the lowest hashes are taken."""

_TIMED_TEXTS = 256
_TIMES = 3
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Change:
    """A figure of a model, before it was exported and after.

    Args:
        before: The model's figure.
        after: The figure of the exported model.
    """

    before: float
    after: float

    @property
    def loss(self) -> float:
        """The decrease from before to after; below 0 where the figure has risen."""
        return self.before - self.after


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What an export costs.

    Args:
        num_bytes: Size of the files that the model is loaded from.
        texts_a_second: Texts encoded in a second of processor time.
        sts7: Mean of the seven English STS tasks, a fraction; None where their data is not there.
        own_documents: Mean nDCG@10 of the suite's parts; None where no documents were named, or they have no parts.
    """

    num_bytes: Change
    texts_a_second: Change
    sts7: Change | None
    own_documents: Change | None

    @property
    def judged(self) -> tuple[str, Change] | None:
        """The measure that decides whether the export is written; None where nothing was measured."""
        if self.sts7 is not None:
            return "sts7", self.sts7
        return None if self.own_documents is None else ("own-documents", self.own_documents)


def measured_cost(model: str | Path, exported: Path, *, data: str | None, data_dir: Path | None) -> Cost:
    """Measure what a folder lost against the model it was made of; both are opened as ``encode`` opens them.

    Args:
        model: Folder or hub name of the model.
        exported: The folder.
        data: Source of the documents of the suite ``own-documents``.
        data_dir: Folder of the evaluation data.

    Raises:
        UserError: A model cannot be opened, or its embeddings cannot be compared.
    """
    encoders = [open_to_encode(str(model)), open_to_encode(exported)]
    has_sts = data_dir is not None and _has_sts7(data_dir)
    rates = _rates(encoders, _timed_texts(data, data_dir if has_sts else None))
    return Cost(
        num_bytes=Change(before=_num_bytes(model), after=_num_bytes(exported)),
        texts_a_second=Change(before=rates[0], after=rates[1]),
        sts7=_change([_sts7(encoder, data_dir) for encoder in encoders]) if has_sts else None,
        own_documents=None if data is None else _own_documents(encoders, data),
    )


def some_passages(source: str, num_texts: int = MAX_TEXTS) -> list[str]:
    """Give passages of the documents of a source; where there are more, those with the lowest hashes.

    Raises:
        UserError: The source cannot be read, or holds no text.
    """
    texts = (text for document in open_documents(source) for text in passage_texts(document))
    found = heapq.nsmallest(num_texts, texts, key=hash_of_text)
    if not found:
        raise UserError(f"--data {source} holds no text; name documents with text in them")
    return found


def _change(values: Sequence[float]) -> Change:
    return Change(before=values[0], after=values[1])


def _num_bytes(model: str | Path) -> int:
    folder = Path(model)
    if not folder.is_dir():
        from huggingface_hub import snapshot_download  # noqa: PLC0415 only a model of the hub needs it

        folder = Path(snapshot_download(str(model), local_files_only=True))
    return sum(path.stat().st_size for path in model_files(folder))


def _has_sts7(data_dir: Path) -> bool:
    try:
        return all(find_file(data_dir, f"sts/{task}/test.jsonl", columns=COLUMNS) for task in STS7)
    except UserError:
        return False


def _timed_texts(data: str | None, sts_dir: Path | None) -> list[str]:
    """Texts to time with: sentences of the data that is there, else the docstrings of Python's own functions."""
    if sts_dir is not None:
        return list(read_pairs(sts_dir, "STSBenchmark").sentences1)[:_TIMED_TEXTS]
    if data is not None:
        return some_passages(data, _TIMED_TEXTS)
    documented = (getattr(builtins, name).__doc__ for name in dir(builtins))
    return list(islice((" ".join(text.split()) for text in documented if text), _TIMED_TEXTS))


def _rates(encoders: Sequence[Any], texts: list[str]) -> list[float]:
    """Texts a second of processor time; the models take turns, so that a busy machine slows both alike."""
    seconds: list[list[float]] = [[] for _ in encoders]
    for turn in range(_TIMES + 1):
        for taken, encoder in zip(seconds, encoders, strict=True):
            start = time.process_time()
            encoder.encode(texts, show_progress_bar=False)
            if turn:  # the first one compiles and reads
                taken.append(time.process_time() - start)
    return [len(texts) / max(median(taken), 1e-9) for taken in seconds]


def _sts7(encoder: Any, data_dir: Path | None) -> float:
    return evaluate(encoder, "sts", data_dir, options=SuiteOptions(num_resamples=2)).means()["sts7"]


def _own_documents(encoders: Sequence[Any], data: str) -> Change | None:
    options = SuiteOptions(data=data, num_resamples=2)
    try:
        reports = [evaluate(encoder, "own-documents", options=options) for encoder in encoders]
    except UserError as error:
        _LOG.warning("own-documents was not measured: %s", error)
        return None
    change = _change([sum(score.value for score in report.scores) / len(report.scores) for report in reports])
    if change.before == 0:
        _LOG.warning(
            "own-documents cannot be measured on %s: no part of a document finds the rest; name documents of several"
            " sentences with --data",
            data,
        )
        return None
    return change
