"""Filling a store with Ray: workers cut, encode and write files of the table, which become part of it in one commit.

What a worker writes belongs to no version of the table until the commit, so a run that is killed leaves the store as it
was; the files it left are removed when LanceDB next tidies up, a week later.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from selfsent.data.bad_rows import BadRows
from selfsent.data.source import Source
from selfsent.documents.document import Document
from selfsent.documents.documents import Documents
from selfsent.documents.parts import Part
from selfsent.documents.reading import Reading
from selfsent.encoding import chunked, count_cut, document_prompt, encode_texts
from selfsent.errors import UserError
from selfsent.search.approximate_index import ROWS_A_CELL
from selfsent.search.known_ids import KnownIds, RowOwners
from selfsent.search.lance_errors import in_one_line, require
from selfsent.search.passage_rows import NUM_LOOKED_AT, PassageCutter, Row, encoded_text, first_documents, identify
from selfsent.search.ray_engine import RayEngine
from selfsent.search.store import place_of
from selfsent.search.store_place import TABLE
from selfsent.search.store_writer import WHOLE_WORDS, WORDS_INDEX, StoreWriter
from selfsent.search.stored_rows import StoredRows

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from selfsent.runtime.runtime_model import RuntimeModel

_DOCUMENTS_A_BLOCK = 8192
_CHARACTERS_A_BLOCK = 2 << 20


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a worker did with a block.

    Args:
        rows: The rows of the block, in order, without texts; those of documents grouped by document.
        new: Ids of those that were not in the store.
        fragments: Files of the table that hold these.
        counts: ``num_added``, ``num_without_direction`` and ``num_cut``.
    """

    rows: list[Any] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    fragments: list[Any] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


class FragmentWriter:
    """Encodes rows that a store does not hold, and writes them beside its table.

    Args:
        model: The open model.
        place: The table.
        stored: Makes rows into a piece of the table.
        known: Ids of the store.
        batch_size: Texts encoded at once.
        file_version: Version of Lance's file format that the table has.
    """

    def __init__(
        self,
        model: "SentenceTransformer | RuntimeModel",
        *,
        place: str,
        stored: StoredRows,
        known: KnownIds,
        batch_size: int,
        file_version: str,
    ) -> None:
        self._model = model
        self._place = place
        self._stored = stored
        self._known = known
        self._batch_size = batch_size
        self._file_version = file_version

    def __call__(self, rows: Sequence[Row], text_of: Callable[[Row], str]) -> Written:
        """Write the new ones of some rows; ``rows`` of what is returned is left to the caller."""
        is_known = self._known.holds(row["id"] for row in rows)
        new = [row for row, known in zip(rows, is_known, strict=True) if not known]
        if not new:
            return Written()
        self._require_columns(new)
        texts = [text_of(row) for row in new]
        vectors = encode_texts(self._model.encode_document, texts, batch_size=self._batch_size)
        return Written(
            new=[row["id"] for row in new],
            fragments=self._write(new, vectors),
            counts={
                "num_added": len(new),
                "num_without_direction": int((~vectors.any(axis=1)).sum()),
                "num_cut": count_cut(self._model, texts, prompt=document_prompt(self._model)),
            },
        )

    def _write(self, rows: Sequence[Row], vectors: NDArray[np.float32]) -> list[Any]:
        table = self._stored.table(rows, vectors)
        with _lance_errors(self._place):
            return require("lance.fragment").write_fragments(
                table, self._place, schema=table.schema, data_storage_version=self._file_version
            )

    def _require_columns(self, rows: Sequence[Row]) -> None:
        names = set(self._stored.schema.names)
        late = next((name for row in rows for name in row if name not in names and row[name] is not None), None)
        if late is not None:
            raise UserError(
                f"the column {late} of --keep has its first value behind the {NUM_LOOKED_AT:,} documents (fewer long"
                " ones) that are looked at first, and workers have to know its type before; index a part that has it"
                " first, or use --engine local"
            )


class _TextWorker:
    """Puts bare texts into a store."""

    def __init__(self, model: Any, *, writer: Callable[..., FragmentWriter]) -> None:
        self._write = writer(model)

    def __call__(self, rows: list[Row] | BadRows) -> Written | BadRows:
        if isinstance(rows, BadRows):
            return rows
        written = self._write(rows, _text)
        return replace(written, rows=[row["id"] for row in rows])


class _DocumentWorker:
    """Cuts documents into passages and puts those into a store."""

    def __init__(self, model: Any, *, writer: Callable[..., FragmentWriter], key: str, max_tokens: int | None) -> None:
        self._write = writer(model)
        self._cutter = PassageCutter(model, max_tokens)
        self._key = key

    def __call__(self, block: list[Document] | Reading) -> Written | Reading:
        if isinstance(block, Reading):
            return block
        chunk = [rows for rows in self._cutter.rows(block) if rows]
        for rows in chunk:
            identify(rows, self._key)
        written = self._write(list(itertools.chain.from_iterable(chunk)), encoded_text)
        slim = [[{name: row[name] for name in row if name not in ("text", "title")} for row in rows] for rows in chunk]
        return replace(written, rows=slim)


@dataclass(frozen=True)
class WriteRequest:
    """What is written, where, and by whom.

    Args:
        engine: Ray.
        writer: The open store.
        key: Key of the source.
        model_path: Where workers open the model from.
        batch_size: Texts encoded at once.
    """

    engine: RayEngine
    writer: StoreWriter
    key: str
    model_path: str | Path
    batch_size: int


def write_texts(
    request: WriteRequest, source: Source, rows: Callable[[], Iterator[Row]], *, rows_per_write: int
) -> Iterator[Written]:
    """Put the texts of a source into a store; when the last block has been yielded, all are there at once.

    Args:
        request: What is written, and where.
        source: The source.
        rows: Begins a pass over it, as rows of the store; pickled together with it.
        rows_per_write: Rows of a block.

    Yields:
        What was done with each block; its ``rows`` are ids.
    """
    request.writer.settle_language(source.texts())
    make = partial(_TextWorker, writer=_fragment_writer(request))
    readers = [partial(_chunks, source, rows, rows_per_write)]
    yield from _committed(request, _apart(request.engine.map(make, request.model_path, readers), source.take_in))


def write_documents(
    request: WriteRequest, documents: Iterable[Document], *, keep: Sequence[str], max_tokens: int | None
) -> Iterator[Written]:
    """Cut documents into passages and put those into a store; at the end all are there at once.

    Args:
        request: What is written, and where.
        documents: ``Documents``, which are read in parts, or others that can be pickled, read by one task.
        keep: Columns that are kept.
        max_tokens: Tokens of a passage at most; None for the default.

    Yields:
        What was done with each block; its ``rows`` are those of one document after another, without texts.
    """
    _look_at(first_documents(iter(documents)), request.writer, keep)
    parts, take_in = [Part(partial(_read, documents))], _ignore
    if isinstance(documents, Documents):
        parts, take_in = documents.parts(), documents.take_in
    make = partial(_DocumentWorker, writer=_fragment_writer(request), key=request.key, max_tokens=max_tokens)
    readers = [partial(_blocks, part) for part in parts]
    yield from _committed(request, _apart(request.engine.map(make, request.model_path, readers), take_in))
    if isinstance(documents, Documents):
        documents.require_some()


def build_indices(engine: RayEngine, writer: StoreWriter, *, max_exact_rows: int) -> None:
    """Build the indices that a large store lacks, each by several workers.

    Those of a small one take less time than the workers' start, and ``StoreWriter.finish`` builds them.

    Args:
        engine: Ray.
        writer: The open store, whose words are known.
        max_exact_rows: As in ``StoreWriter.finish``.
    """
    if len(writer.store) <= max_exact_rows:
        return
    lance_ray = require("lance_ray")
    place, table = _table_place(writer), writer.store.table
    indexed = {column for index in table.list_indices() for column in index.columns}
    with _lance_errors(writer.store.uri):
        if "words" not in indexed and not table.count_rows("words IS NULL"):
            lance_ray.create_scalar_index(
                place,
                column="words",
                name=WORDS_INDEX,
                index_type="INVERTED",
                num_workers=engine.num_cpus,
                **WHOLE_WORDS,
            )
        table.checkout_latest()
        if "vector" not in indexed and writer.wants_index(max_exact_rows):
            lance_ray.create_index(
                place,
                "vector",
                "IVF_FLAT",
                name="vector_idx",
                metric="cosine",
                num_partitions=-(-len(writer.store) // ROWS_A_CELL),
                num_workers=engine.num_cpus,
            )
        table.checkout_latest()


def _look_at(head: Sequence[Document], writer: StoreWriter, keep: Sequence[str]) -> None:
    """Settle by the first documents what workers have to know: the columns that are kept, and the language."""
    writer.keep_columns(keep, [{name: value for name, value in one.kept if value != ""} for one in head])
    writer.settle_language(f"{document.title} {document.text}" for document in head)


def _fragment_writer(request: WriteRequest) -> Callable[..., FragmentWriter]:
    writer = request.writer
    place = _table_place(writer)
    with _lance_errors(writer.store.uri):
        file_version = str(require("lance").dataset(place).data_storage_version)
    return partial(
        FragmentWriter,
        place=place,
        stored=writer.rows,
        known=KnownIds(writer.owners),
        batch_size=request.batch_size,
        file_version=file_version,
    )


def _committed(request: WriteRequest, done: Iterable[Written]) -> Iterator[Written]:
    """Pass on what was done, and then make all that was written part of the table."""
    fragments: list[Any] = []
    owners = RowOwners()
    for written in done:
        fragments += written.fragments
        owners.add(written.new, [request.key] * len(written.new))
        yield written
    if fragments:
        request.writer.commit(fragments, owners)


def _apart(done: Iterable[Any], take_in: Callable[[Any], None]) -> Iterator[Written]:
    """Give what readers found to the source, and yield what workers did."""
    for one in done:
        if isinstance(one, Written):
            yield one
        else:
            take_in(one)


def _ignore(_: Reading) -> None:
    """Documents that are in memory, or in one file of ours, have nothing to tell."""


def _blocks(part: Part) -> Iterator[list[Document] | Reading]:
    """Gather documents until they are enough for a worker."""
    block: list[Document] = []
    num_characters = 0
    for one in part():
        if isinstance(one, Reading):
            yield block
            yield one
            return
        block.append(one)
        num_characters += len(one.text)
        if len(block) == _DOCUMENTS_A_BLOCK or num_characters > _CHARACTERS_A_BLOCK:
            yield block
            block, num_characters = [], 0


def _read(documents: Iterable[Document], _: Reading) -> Iterator[Document]:
    return iter(documents)


def _chunks(source: Source, rows: Callable[[], Iterator[Row]], size: int) -> Iterator[list[Row] | BadRows]:
    yield from chunked(rows(), size)
    yield source.left_out


def _text(row: Row) -> str:
    return str(row["text"])


def _table_place(writer: StoreWriter) -> str:
    return f"{place_of(writer.store.uri)}/{TABLE}.lance"


def _lance_errors(place: str) -> contextlib.AbstractContextManager[None]:
    return in_one_line(
        f"write the store {place}", "nothing of this run was committed; free some space, and run it again"
    )
