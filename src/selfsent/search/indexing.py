"""Putting the texts of a source into a store, so that it can be killed at any moment and run again."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from selfsent.data.source import Source
from selfsent.encoding import Vectors, chunked, count_cut, cut_note, document_prompt, encode_texts
from selfsent.errors import UserError
from selfsent.search.approximate_index import MAX_EXACT_ROWS, NUM_QUERIES
from selfsent.search.int8_recall import int8_recall
from selfsent.search.kept_versions import require_versions
from selfsent.search.known_ids import KnownIds
from selfsent.search.ray_engine import RayEngine
from selfsent.search.ray_indexing import WriteRequest, Written, build_indices, write_texts
from selfsent.search.store_place import check_place
from selfsent.search.store_schema import VectorType, storable
from selfsent.search.store_writer import StoreWriter, writing
from selfsent.search.stored_model import describe
from selfsent.search.stored_search import MEASURE_AGAIN, MIN_ROWS, StoredSearch
from selfsent.search.text_id import NAMED_AT_ONCE, TextIds
from selfsent.search.weak_answers import NUM_DRAWN, first_half, random_level

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from selfsent.runtime.runtime_model import RuntimeModel

ROWS_PER_WRITE = 4096
_PROVENANCE_COLUMNS = ("file", "line", "package", "qualified_name")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class IndexReport:
    """What an indexing did.

    Args:
        num_texts: Texts, or passages of documents, of the source.
        num_added: Those that were not in the store yet.
        num_rows: Rows of the store at the end.
        num_without_direction: Added texts whose vector is zero (no known token): only a search by words finds them.
        num_cut: Added texts that are longer than what the model reads; search by words knows all of them.
        num_new: Documents that were not in the store ...
        num_updated: ... those of which something changed ...
        num_removed: ... those (or, of a source of bare texts, the texts) that are no longer in the source, and were
            forgotten ...
        num_unchanged: ... and those that stand in the store as they are in the source.
        int8_recall: Recall@10 of int8 vectors against float32; None where the store holds float32, or too few rows.
        probes: Cells that a search of the approximate index looks into; None without such an index ...
        index_recall: ... and the recall@10 that this gives against exact search.
    """

    num_texts: int
    num_added: int
    num_rows: int
    num_without_direction: int
    num_cut: int = 0
    num_new: int = 0
    num_updated: int = 0
    num_removed: int = 0
    num_unchanged: int = 0
    int8_recall: float | None = None
    probes: int | None = None
    index_recall: float | None = None

    @property
    def num_documents(self) -> int:
        """Documents of the source, as it is now; 0 where it holds bare texts."""
        return self.num_new + self.num_updated + self.num_unchanged

    def lines(self, store: str) -> list[str]:
        """Say in plain words what was done to a store."""
        texts = f"{self.num_added:,} of {self.num_texts:,} {'passages' if self.num_documents else 'texts'} added"
        removed = f", {self.num_removed:,} removed" if self.num_removed else ""
        if not self.num_documents:
            return [f"{texts}{removed}; {store} holds {self.num_rows:,}", *self._recalls()]
        documents = f"{self.num_documents:,} documents: {self.num_new:,} new, {self.num_updated:,} updated"
        first = f"{documents}{removed}, {self.num_unchanged:,} unchanged"
        return [first, f"{texts}; {store} holds {self.num_rows:,}", *self._recalls()]

    def _recalls(self) -> list[str]:
        """Report the measured recall of int8 vectors and of the approximate index."""
        found: list[str] = []
        if self.int8_recall is not None:
            found.append(f"vectors in int8: recall@10 {self.int8_recall:.3f} against float32")
        if self.index_recall is not None:
            found.append(f"approximate index: recall@10 {self.index_recall:.3f} with {self.probes} probes")
        return found


def index(
    model: "SentenceTransformer | RuntimeModel",
    source: Source,
    store: str | Path,
    *,
    model_path: str | Path,
    batch_size: int = 32,
    rows_per_write: int = ROWS_PER_WRITE,
    max_exact_rows: int = MAX_EXACT_ROWS,
    forget: bool = False,
    vectors: VectorType | None = None,
    keep_version: bool = False,
    engine: RayEngine | None = None,
) -> IndexReport:
    """Encode the texts of a source that a store does not hold yet, and add them to it.

    A row's id is the hash of its text's content and of how many equal texts came before it, so the same input changes
    nothing, a grown input adds what is new, and an interrupted indexing goes on where it stopped. A row keeps the place
    it was first found at. Rows whose text has vanished from the input stay, unless they are to be forgotten.

    Args:
        model: The open model; texts go through its ``encode_document``, so its prompts are honoured.
        source: Every text of every row becomes one row of the store.
        store: A folder, or a URI of object storage that LanceDB knows (``s3://...``; not tested here).
        model_path: Where the model was opened from; recorded in the store.
        batch_size: Texts encoded at once.
        rows_per_write: Texts encoded between two writes: what a kill loses at most, and what memory holds.
        max_exact_rows: Vector search compares the query with every row up to this many; a larger store gets an
            approximate index (IVF_FLAT) if it has no snapshot. The default is where an exact search takes about a tenth
            of a second (measured: 256 dimensions, two cores).
        forget: Remove rows of this source whose text has vanished from it. A row that another source holds too stays,
            and so does one that was added by a version that did not record its source.
        vectors: How a new store holds vectors: ``float32`` (as the model gives them), or ``int8``, a quarter of that;
            None for what the store has, or float32.
        keep_version: Keep this version of the store, so that it can be searched later (`SemanticSearch`).
        engine: Ray, whose workers open the model by its path and write to the store's place; None for this process.

    Returns:
        Counts.

    Raises:
        UserError: The store belongs to another model, another process is writing to it, the model gives vectors that
            are not finite, or the place cannot be written to.
    """
    if batch_size < 1 or rows_per_write < 1:
        raise UserError(f"batch_size and rows_per_write must be at least 1, got {batch_size} and {rows_per_write}")
    check_place(str(store))
    counts: dict[str, int] = dict.fromkeys(("num_texts", "num_added", "num_without_direction", "num_cut"), 0)
    if keep_version:
        require_versions(str(store))
    with writing(store, describe(model, model_path, str(store)), vectors) as writer:
        key = writer.key_of(source.spec)
        own = KnownIds(writer.owners.ids_of(key) if forget else ())
        with tqdm(desc="indexing", unit=" texts", disable=None) as progress:
            if engine is None:
                writer.settle_language(source.texts())
                done = _written(writer, source, key, model, counts, batch_size=batch_size, size=rows_per_write)
            else:
                request = WriteRequest(engine, writer, key, model_path, batch_size)
                spread = write_texts(request, source, partial(_rows, source, key), rows_per_write=rows_per_write)
                done = _taken_in(spread, writer, key, counts)
            for ids in done:
                counts["num_texts"] += len(ids)
                own.meet(ids)
                progress.update(len(ids))
        num_removed = writer.forget(own.unmet(), key)
        if engine is not None:
            build_indices(engine, writer, max_exact_rows=max_exact_rows)
        finish(writer, model, batch_size=batch_size, max_exact_rows=max_exact_rows, keep_version=keep_version)
        report = IndexReport(**counts, num_rows=len(writer.store), num_removed=num_removed, **recalls_of(writer.record))
    if report.num_cut:
        _LOG.warning(cut_note(model, report.num_cut, report.num_added))
    return report


def _written(
    writer: StoreWriter,
    source: Source,
    key: str,
    model: "SentenceTransformer | RuntimeModel",
    counts: dict[str, int],
    *,
    batch_size: int,
    size: int,
) -> Iterator[list[str]]:
    """Write the texts of a source, and yield the ids of each chunk of them."""
    for rows in chunked(_rows(source, key), size):
        new = writer.missing(rows)
        is_new = {row["id"] for row in new}
        writer.share((row["id"] for row in rows if row["id"] not in is_new), key)
        add_encoded(writer, new, [row["text"] for row in new], model, counts, batch_size=batch_size)
        yield [row["id"] for row in rows]


def _taken_in(done: Iterable[Written], writer: StoreWriter, key: str, counts: dict[str, int]) -> Iterator[list[str]]:
    """Count what workers did, and yield the ids of each block."""
    for written in done:
        is_new = set(written.new)
        writer.share((name for name in written.rows if name not in is_new), key)
        add_counts(counts, written.counts)
        yield written.rows


def add_counts(counts: dict[str, int], more: Mapping[str, int]) -> None:
    """Add counts of a part to those of the whole."""
    for name, number in more.items():
        counts[name] += number


def add_encoded(
    writer: StoreWriter,
    rows: list[dict[str, Any]],
    texts: list[str],
    model: "SentenceTransformer | RuntimeModel",
    counts: dict[str, int],
    *,
    batch_size: int,
    stale: Sequence[str] = (),
) -> None:
    """Encode rows and add them.

    Args:
        writer: The open store.
        rows: The rows; they are not in the store.
        texts: What is encoded of each.
        model: The model.
        counts: ``num_added``, ``num_without_direction`` and ``num_cut``, which are added to.
        batch_size: Texts encoded at once.
        stale: Ids of rows that go in the same write (`StoreWriter.add`).
    """
    if rows:
        vectors = encode_texts(model.encode_document, texts, batch_size=batch_size)
        counts["num_added"] += writer.add(rows, vectors, stale=stale)
        counts["num_without_direction"] += int((~vectors.any(axis=1)).sum())
        counts["num_cut"] += count_cut(model, texts, prompt=document_prompt(model))


def finish(
    writer: StoreWriter,
    model: "SentenceTransformer | RuntimeModel",
    *,
    batch_size: int,
    max_exact_rows: int,
    keep_version: bool = False,
) -> None:
    """Measure weak answers and recalls where the store has changed much, and bring its indices up to date.

    Args:
        writer: The open store.
        model: The model.
        batch_size: Texts encoded at once.
        max_exact_rows: As in ``index``.
        keep_version: As in ``index``.
    """

    def encode_queries(texts: Sequence[str]) -> Vectors:
        return encode_texts(model.encode_query, texts, batch_size=batch_size)

    def queries() -> Vectors:
        rows = writer.some_rows(NUM_QUERIES, ["text", "title"])
        return encode_queries([first_half(row["text"] or row["title"] or "") or " " for row in rows])

    record, num_rows = writer.record, len(writer.store)
    if abs(num_rows - record.measured_rows) > MEASURE_AGAIN * num_rows:
        level, recall = None, None
        if num_rows >= MIN_ROWS:
            rows = writer.some_rows(NUM_DRAWN, ["text", "title", "document", "vector"])
            level = random_level(rows, encode_queries, num_rows=num_rows)
        if num_rows >= MIN_ROWS and writer.store.vectors == "int8":
            encode_documents = partial(encode_texts, model.encode_document, batch_size=batch_size)
            recall = int8_recall(writer.store, queries(), encode_documents)
        writer.update_record(replace(record, weak_below=level, int8_recall=recall, measured_rows=num_rows))
    writer.finish(max_exact_rows=max_exact_rows, queries=queries, keep_version=keep_version)


def recalls_of(record: StoredSearch) -> dict[str, Any]:
    """The recalls that a store records, by the names of ``IndexReport``."""
    return {
        "int8_recall": record.int8_recall,
        "probes": record.probes,
        "index_recall": record.index_recall,
    }


def _rows(source: Source, key: str) -> Iterator[dict[str, Any]]:
    """One row a text: id, text, and what the source knows of where it came from."""
    identify = TextIds()
    for rows in chunked(_unnamed(source, key), NAMED_AT_ONCE):
        ids = identify([row["text"] for row in rows])
        yield from ({"id": name, **row} for name, row in zip(ids, rows, strict=True))


def _unnamed(source: Source, key: str) -> Iterator[dict[str, Any]]:
    columns = source.text_columns
    for row in source:
        provenance = {name: storable(row.get(name)) for name in _PROVENANCE_COLUMNS}
        yield from ({"text": str(row[column]), "sources": key, **provenance} for column in columns)
