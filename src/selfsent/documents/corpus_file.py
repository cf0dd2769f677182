"""Documents on disk: what was read once from files of many formats, to be read again as often as wanted.

A corpus file is a parquet file with the columns ``id, title, text`` that any reader of tables understands, and columns
for everything else that a document knows.
"""

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from selfsent.atomic import atomic_path
from selfsent.documents.document import Document, Heading
from selfsent.errors import UserError

_FORMAT = {b"selfsent.documents": b"1"}
_DOCUMENTS_A_GROUP = 500

_PLACES = pa.list_(pa.int64())
_SPANS = pa.list_(pa.list_(pa.int64()))
_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("file", pa.string()),
        pa.field("line", pa.int64()),
        pa.field("package", pa.string()),
        pa.field("qualified_name", pa.string()),
        pa.field("page_starts", _PLACES),
        pa.field("headings", _SPANS),
        pa.field("code_spans", _SPANS),
        pa.field("line_marks", _SPANS),
        pa.field("kept", pa.string()),
    ],
    metadata=_FORMAT,
)
assert {field.name for field in fields(Document)} == set(_SCHEMA.names)  # noqa: S101 our own invariant


class CorpusFile:
    """The documents of a corpus file, read anew at every iteration, some hundred in memory at a time.

    Args:
        path: A file that ``write_corpus`` wrote.

    Raises:
        UserError: There is no such file, or it is not a corpus file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not is_corpus_file(path):
            raise UserError(f"{path} must be a corpus file that `selfsent build` wrote, and is not; name another file")

    def __len__(self) -> int:
        return int(pq.read_metadata(self.path).num_rows)

    def __iter__(self) -> Iterator[Document]:
        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(batch_size=_DOCUMENTS_A_GROUP):
                yield from map(_document, batch.to_pylist())


def is_corpus_file(path: Path) -> bool:
    """Tell whether a file holds documents that ``write_corpus`` wrote."""
    if path.suffix != ".parquet" or not path.is_file():
        return False
    try:
        return _FORMAT.items() <= (pq.read_schema(path).metadata or {}).items()
    except (OSError, pa.ArrowException):
        return False


def write_corpus(documents: Iterable[Document], path: Path) -> CorpusFile:
    """Write documents to a file, aside and renamed; some hundred are in memory at a time.

    Args:
        documents: Read once.
        path: The file, which ends in ``.parquet``; what stood there is replaced.

    Raises:
        UserError: The place cannot be written to.
    """
    unread = iter(documents)
    with atomic_path(path) as aside, pq.ParquetWriter(aside, _SCHEMA, compression="zstd") as writer:
        while group := list(itertools.islice(unread, _DOCUMENTS_A_GROUP)):
            writer.write_table(pa.Table.from_pylist([_row(document) for document in group], schema=_SCHEMA))
    return CorpusFile(path)


def _row(document: Document) -> dict[str, Any]:
    headings = [[heading.start, heading.end, heading.level] for heading in document.headings]
    known = {name: getattr(document, name) for name in _SCHEMA.names}  # dataclasses.asdict would copy each value
    return known | {"headings": headings, "kept": json.dumps(document.kept)}


def _document(row: dict[str, Any]) -> Document:
    headings = tuple(Heading(start=start, end=end, level=level) for start, end, level in row["headings"])
    known: dict[str, Any] = {**row, "headings": headings, "page_starts": tuple(row["page_starts"])}
    for name in ("code_spans", "line_marks"):
        known[name] = tuple((start, end) for start, end in row[name])
    known["kept"] = tuple((name, value) for name, value in json.loads(row.get("kept") or "[]"))
    return Document(**known)
