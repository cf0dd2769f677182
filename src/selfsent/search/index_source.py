"""How a source goes into a store: as bare texts, one a row, or as documents that are cut into passages."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from selfsent.data.bad_rows import OnBadRow
from selfsent.data.columns import Picks
from selfsent.data.formats import BadRecord, NumberedRecords, is_readable, read_records
from selfsent.data.hub import hub_records
from selfsent.data.parallel.parallel_formats import is_parallel
from selfsent.data.source_files import expanded
from selfsent.data.sources import open_source
from selfsent.documents.documents import Unit, open_documents
from selfsent.documents.file_formats import PLAIN_TEXT, WHOLE_FILES, suffix_of
from selfsent.documents.folder import Folder
from selfsent.documents.table_rows import fields_of
from selfsent.errors import UserError
from selfsent.search.document_indexing import index_documents
from selfsent.search.indexing import IndexReport, index
from selfsent.search.ray_engine import RayEngine
from selfsent.search.store import Store
from selfsent.search.store_schema import VectorType

_NAMED_FILES = 20
"""Largest number of unread files that notes name; beyond it they give the number alone."""

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from selfsent.runtime.runtime_model import RuntimeModel


@dataclass(frozen=True, kw_only=True)
class IndexRequest:
    """What a person asks to be indexed, and how.

    Args:
        source: A file, a folder, ``hf:NAME`` or ``docs:``.
        unit: What a ``.txt`` file holds; None takes one text a line.
        keep: Columns of tables that answers can be filtered by.
        forget: Whether what is no longer in the source is removed.
        columns: Columns that hold the text.
        header: Whether tables of bare texts begin with names; None looks.
        on_bad_row: What to do at a row that cannot be used.
        max_rows: Rows of the source to use.
        batch_size: Texts encoded at once.
        vectors: How a new store holds vectors: float32, or int8, a quarter of the size; None for what the store has.
        keep_version: Whether this version of the store stays searchable.
        engine: Ray, whose workers read, cut, encode and write; None for this process.
    """

    source: str
    unit: Unit | None = None
    keep: Sequence[str] = ()
    forget: bool = False
    columns: Picks = None
    header: bool | None = None
    on_bad_row: OnBadRow = "stop"
    max_rows: int | None = None
    batch_size: int = 64
    vectors: VectorType | None = None
    keep_version: bool = False
    engine: RayEngine | None = None


def index_source(
    model: "SentenceTransformer | RuntimeModel", request: IndexRequest, store: str, *, model_path: str
) -> tuple[IndexReport, list[str]]:
    """Put a source into a store.

    Tables that name their rows or give them a title, files of documents and ``docs:`` go in as documents; ``.txt``
    files, pairs and bare tables as texts, unless a unit or columns to keep are asked for. Tables and ``docs:`` that
    went into a store as texts before sources were recorded go on as texts, so that nothing is there twice.

    Args:
        model: The open model.
        request: What to index.
        store: The store.
        model_path: Where the model was opened from.

    Returns:
        Counts, and what a person should be told.

    Raises:
        UserError: The request contradicts itself, or what ``index`` and ``index_documents`` raise.
    """
    if request.forget and request.max_rows is not None:
        raise UserError("--forget needs the whole source to know what has gone from it; leave --max-rows out")
    if not _goes_as_documents(request, store):
        source = open_source(
            request.source,
            columns=request.columns,
            header=request.header,
            on_bad_row=request.on_bad_row,
            max_rows=request.max_rows,
            exclude=[store],
        )
        report = index(
            model,
            source,
            store,
            model_path=model_path,
            batch_size=request.batch_size,
            forget=request.forget,
            vectors=request.vectors,
            keep_version=request.keep_version,
            engine=request.engine,
        )
        return report, [*source.closing_notes(), *_direction_notes(report)]
    documents = open_documents(
        request.source,
        unit=request.unit or "line",
        columns=request.columns,
        on_bad_row=request.on_bad_row,
        max_rows=request.max_rows,
        exclude=[store],
        keep=request.keep,
    )
    report = index_documents(
        model,
        documents,
        store,
        model_path=model_path,
        source=request.source,
        forget=request.forget,
        keep=request.keep,
        batch_size=request.batch_size,
        vectors=request.vectors,
        keep_version=request.keep_version,
        engine=request.engine,
    )
    skipped = (
        f"not read: {one.file} ({one.reason}{': ' if one.detail else ''}{one.detail})" for one in documents.skipped
    )
    return report, [*documents.notes, *_first(list(skipped)), *_direction_notes(report)]


def _goes_as_documents(request: IndexRequest, store: str) -> bool:
    if request.unit is not None or request.keep:
        return True
    if request.header is not None:
        return False
    kind = _kind(request.source, request.columns)
    return kind == "documents" or (kind == "table" and not _is_of_texts(store))


def _is_of_texts(store: str) -> bool:
    """Whether a store was filled with bare texts before its sources were recorded."""
    found = Store.find(store)
    return found is not None and "sources" not in found.columns and len(found) > 0


def _kind(spec: str, columns: Picks) -> str:
    """Tell a source of documents, a table whose rows are documents, and bare texts apart."""
    if spec.startswith("docs:"):
        return "table"
    if is_parallel(spec):
        return "texts"
    if spec.startswith("hf:"):
        return "table" if _has_documents(hub_records(spec)(None), columns) else "texts"
    path = expanded(spec)
    files = [file.path for file in Folder(path).files()] if path.is_dir() else [path] if path.is_file() else []
    if any(suffix_of(file) in WHOLE_FILES for file in files):
        return "documents"
    tables = (file for file in files if suffix_of(file) not in (None, "", PLAIN_TEXT) and is_readable(file))
    return "table" if any(_has_documents(read_records(file), columns) for file in tables) else "texts"


def _has_documents(records: NumberedRecords, columns: Picks) -> bool:
    """Whether the rows of a table have one text each, and a title or an id."""
    first = list(itertools.islice((record for _, record in records if not isinstance(record, BadRecord)), 2))
    if not first:
        return False
    try:
        fields = fields_of(first[0], columns, "the first row", first[-1])
    except UserError:
        return False
    return len(fields.texts) <= 1 and (fields.title is not None or fields.id is not None)


def _first(notes: Sequence[str]) -> list[str]:
    more = len(notes) - _NAMED_FILES
    return [*notes[:_NAMED_FILES], *([f"and {more:,} more files that were not read"] if more > 0 else [])]


def _direction_notes(report: IndexReport) -> list[str]:
    if not report.num_without_direction:
        return []
    num = report.num_without_direction
    found = "only a search by words (`--mode text` or `hybrid`) finds them"
    return [f"the model knows no token of {num:,} of the added texts; {found}"]
