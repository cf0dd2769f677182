"""What a run reads, and what tells its best checkpoint: texts or documents, and labels, a held-out part or neither."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from sentence_transformers.base.evaluation import BaseEvaluator

from selfsent.data.bad_rows import OnBadRow
from selfsent.data.source import Source
from selfsent.data.sources import open_source
from selfsent.documents.document import Document
from selfsent.documents.documents import Documents, holds_whole_documents, open_documents
from selfsent.documents.training_corpus import training_corpus
from selfsent.errors import UserError
from selfsent.evaluation.bridges.evaluator import PairsEvaluator
from selfsent.evaluation.bridges.own_documents_evaluator import OwnDocumentsEvaluator
from selfsent.evaluation.tasks.asking_documents import AskingDocuments
from selfsent.methods.method import Ingredients
from selfsent.training.arguments import BEST
from selfsent.training.heldout_loss import HeldoutLoss

Best = Literal["auto", "own-documents", "sts-dev", "none"]
"""What tells the best checkpoint (``training.best``).

``own-documents``: parts of the documents that look for the rest (`selfsent.evaluation.tasks.asking_documents`);
``sts-dev``: STS-B dev; ``none``: nothing, so that the last is kept. ``auto`` takes the first where a run reads
documents and no evaluation data were named, else STS-B dev where it is there, else the loss on rows held out of the
source.
"""

_STS_DEV = "sts/STSBenchmark/dev.jsonl"
_HELDOUT_ROWS = 1000
_MOST_QUERIES = 500
_MOST_OTHER_PASSAGES = 4000


@dataclass(frozen=True, kw_only=True)
class RunData:
    """What a run reads.

    Args:
        source: The texts; of documents, titles and texts.
        documents: The documents, where the method reads documents.
        heldout_rows: Rows to keep out of training for the held-out loss.
        evaluator: What measures the model along the way, unless the held-out loss does.
    """

    source: Source
    documents: Iterable[Document] | None = None
    heldout_rows: int = 0
    evaluator: BaseEvaluator | None = None

    def evaluator_of(self, ingredients: Ingredients, *, batch_size: int) -> BaseEvaluator | None:
        """Give what measures the model along the way; ``None`` where nothing does.

        Args:
            ingredients: What the method built.
            batch_size: Rows a batch of the held-out loss.
        """
        if self.evaluator is not None or ingredients.heldout is None:
            return self.evaluator
        return HeldoutLoss(
            loss=ingredients.loss,
            dataset=ingredients.heldout,
            batch_size=batch_size,
            max_seq_length=ingredients.max_seq_length,
        )


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a person asks a run to read.

    Args:
        data: The source.
        columns: Columns of the source by name or 1-based number.
        header: Whether the first row of a table names its columns; ``None``: where it looks so.
        on_bad_row: ``stop`` at the first bad row, or ``skip`` and count.
        max_rows: Rows, or documents, to use; ``None``: all.
        data_dir: Evaluation data that were named.
        folder: Folder of the run's corpus.
        exclude: What is no part of the source, such as the output.
    """

    data: str | Path
    columns: Sequence[str | int] | None
    header: bool | None
    on_bad_row: OnBadRow
    max_rows: int | None
    data_dir: str | Path | None
    folder: Path
    exclude: Sequence[Path] = ()


def open_run_data(wanted: Wanted, arguments: Mapping[str, Any], *, reads_documents: bool) -> RunData:
    """Open what a run reads.

    Args:
        wanted: What was asked for.
        arguments: Fields of the training arguments, ``best`` among them.
        reads_documents: Whether the method learns from documents.

    Raises:
        UserError: There is no such source, or ``best`` is not known or cannot be had.
    """
    best = _best(arguments, wanted, reads_documents=reads_documents)
    if reads_documents:
        return _documents(wanted, best)
    source = open_texts(wanted)
    data_dir = None if best == "none" else evaluation_data(wanted.data_dir)
    if data_dir is not None:
        return RunData(source=source, evaluator=PairsEvaluator.of_sts_dev(data_dir))
    return RunData(source=source, heldout_rows=_HELDOUT_ROWS if best == "auto" else 0)


def open_texts(wanted: Wanted) -> Source:
    """Open the texts that were asked for; of files of documents, the sentences of their passages.

    Raises:
        UserError: As ``open_source`` and ``open_documents``.
    """
    if wanted.header is None and holds_whole_documents(wanted.data):
        corpus = training_corpus(_open_documents(replace(wanted, max_rows=None)), wanted.folder)
        return corpus.sentences(str(wanted.data), max_rows=wanted.max_rows)
    return open_source(
        wanted.data,
        columns=wanted.columns,
        header=wanted.header,
        on_bad_row=wanted.on_bad_row,
        max_rows=wanted.max_rows,
        exclude=wanted.exclude,
    )


def _open_documents(wanted: Wanted) -> Documents:
    return open_documents(
        wanted.data,
        columns=wanted.columns,
        on_bad_row=wanted.on_bad_row,
        max_rows=wanted.max_rows,
        exclude=wanted.exclude,
    )


def _documents(wanted: Wanted, best: Best) -> RunData:
    corpus = training_corpus(_open_documents(wanted), wanted.folder)
    if best != "own-documents":
        data_dir = None if best == "none" else evaluation_data(wanted.data_dir)
        evaluator = None if data_dir is None else PairsEvaluator.of_sts_dev(data_dir)
        return RunData(source=corpus.source(str(wanted.data)), documents=corpus.documents, evaluator=evaluator)
    evaluator, asking = own_documents_evaluator(corpus.documents, corpus.num_documents)
    source = replace(corpus, documents=asking).source(str(wanted.data))
    return RunData(source=source, documents=asking, evaluator=evaluator)


def own_documents_evaluator(
    documents: Iterable[Document], num_documents: int
) -> tuple[OwnDocumentsEvaluator, AskingDocuments]:
    """Make what measures a model by parts of documents that look for the rest.

    Args:
        documents: Read as often as wanted.
        num_documents: How many there are.

    Returns:
        The evaluator, and the documents without the parts that ask.

    Raises:
        UserError: Fewer than two documents can ask.
    """
    asking = AskingDocuments(documents, num_documents)
    tasks = asking.tasks(max_queries=_MOST_QUERIES, max_other_passages=_MOST_OTHER_PASSAGES)
    return OwnDocumentsEvaluator(tasks), asking


def _best(arguments: Mapping[str, Any], wanted: Wanted, *, reads_documents: bool) -> Best:
    best = arguments.get(BEST, "auto")
    if best not in get_args(Best):
        raise UserError(f"training.best must be one of {', '.join(get_args(Best))}, got {best!r}")
    if best == "own-documents" and not reads_documents:
        raise UserError(
            "training.best=own-documents needs a training on documents, and this one reads texts; set view=document,"
            " crops or title, or train document-contrast"
        )
    if best == "sts-dev" and evaluation_data(wanted.data_dir) is None:
        raise UserError("training.best=sts-dev needs STS-B dev, and there is none; name its folder with --data-dir")
    return "own-documents" if best == "auto" and reads_documents and wanted.data_dir is None else best


def evaluation_data(data_dir: str | Path | None, *, holding: str = _STS_DEV) -> Path | None:
    """The folder of evaluation data: the one named, or the environment's where it has what is needed.

    Args:
        data_dir: What a person named.
        holding: The file, or folder, that the environment's has to hold.
    """
    if data_dir is not None:
        return Path(data_dir)
    folder = os.environ.get("SELFSENT_DATA")
    return Path(folder) if folder and (Path(folder) / holding).exists() else None
