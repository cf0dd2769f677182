"""What a run reads, and what tells its best checkpoint: texts or documents, and labels, a held-out part or neither."""

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

from selfsent.data.source import Source
from selfsent.data.sources import open_source
from selfsent.documents.document import Document
from selfsent.documents.documents import Documents, holds_whole_documents, open_documents
from selfsent.documents.training_corpus import training_corpus
from selfsent.errors import UserError
from selfsent.evaluation.bridges.evaluator import PairsEvaluator
from selfsent.evaluation.bridges.own_documents_evaluator import OwnDocumentsEvaluator
from selfsent.evaluation.tasks.asking_documents import AskingDocuments
from selfsent.time_limit import TimeLimit
from selfsent.training.arguments import BEST
from selfsent.training.run import Run, RunData

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


def open_run_data(run: Run[Any], *, limit: TimeLimit | None = None, corpus_folder: Path | None = None) -> RunData:
    """Open what a run reads.

    Args:
        run: What was asked for.
        limit: When the run should be over; default: never.
        corpus_folder: Where a corpus of documents is kept; default: the run's own folder for it.

    Raises:
        UserError: There is no such source, or ``training.best`` is not known or cannot be had.
    """
    best = _best(run)
    limit, folder = limit or TimeLimit(), corpus_folder or run.corpus_folder
    if run.reads_documents:
        return _documents(run, best, limit, folder)
    source = _open_texts(run, folder)
    data_dir = None if best == "none" else evaluation_data(run.data_dir)
    if data_dir is not None:
        return RunData(source=source, evaluator=PairsEvaluator.of_sts_dev(data_dir), limit=limit)
    return RunData(source=source, heldout_rows=_HELDOUT_ROWS if best == "auto" else 0, limit=limit)


def _open_texts(run: Run[Any], folder: Path) -> Source:
    """Open the texts that were asked for; of files of documents, the sentences of their passages."""
    if run.header is None and holds_whole_documents(run.data):
        corpus = training_corpus(_open_documents(run, max_rows=None), folder)
        return corpus.sentences(str(run.data), max_rows=run.max_rows)
    return open_source(
        run.data,
        columns=run.columns,
        header=run.header,
        on_bad_row=run.on_bad_row,
        max_rows=run.max_rows,
        exclude=[run.folder],
    )


def _open_documents(run: Run[Any], *, max_rows: int | None) -> Documents:
    return open_documents(
        run.data, columns=run.columns, on_bad_row=run.on_bad_row, max_rows=max_rows, exclude=[run.folder]
    )


def _documents(run: Run[Any], best: Best, limit: TimeLimit, folder: Path) -> RunData:
    corpus = training_corpus(_open_documents(run, max_rows=run.max_rows), folder)
    if best != "own-documents":
        data_dir = None if best == "none" else evaluation_data(run.data_dir)
        evaluator = None if data_dir is None else PairsEvaluator.of_sts_dev(data_dir)
        source = corpus.source(str(run.data))
        return RunData(source=source, documents=corpus.documents, evaluator=evaluator, limit=limit)
    evaluator, asking = own_documents_evaluator(corpus.documents, corpus.num_documents)
    source = replace(corpus, documents=asking).source(str(run.data))
    return RunData(source=source, documents=asking, evaluator=evaluator, limit=limit)


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


def _best(run: Run[Any]) -> Best:
    best = run.training.get(BEST, "auto")
    if best not in get_args(Best):
        raise UserError(f"training.best must be one of {', '.join(get_args(Best))}, got {best!r}")
    if best == "own-documents" and not run.reads_documents:
        raise UserError(
            "training.best=own-documents needs a training on documents, and this one reads texts; set view=document,"
            " crops or title, or train document-contrast"
        )
    if best == "sts-dev" and evaluation_data(run.data_dir) is None:
        raise UserError("training.best=sts-dev needs STS-B dev, and there is none; name its folder with --data-dir")
    return "own-documents" if best == "auto" and run.reads_documents and run.data_dir is None else best


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
