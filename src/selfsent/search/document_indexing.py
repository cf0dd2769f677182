"""Putting documents into a store as passages: what is new or changed is encoded, what is gone is removed."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from selfsent.documents.document import Document
from selfsent.documents.skipped import Skipped, is_in, unread_files
from selfsent.encoding import chunked, cut_note
from selfsent.errors import UserError
from selfsent.search.approximate_index import MAX_EXACT_ROWS
from selfsent.search.indexing import ROWS_PER_WRITE, IndexReport, add_counts, add_encoded, finish, recalls_of
from selfsent.search.kept_versions import require_versions
from selfsent.search.known_ids import KnownIds
from selfsent.search.passage_rows import PassageCutter, Row, encoded_text, first_documents, identify
from selfsent.search.ray_engine import RayEngine
from selfsent.search.ray_indexing import WriteRequest, Written, build_indices, write_documents
from selfsent.search.store_place import check_place
from selfsent.search.store_schema import PLACE_COLUMNS, VectorType, refuse_kept
from selfsent.search.store_writer import StoreWriter, writing
from selfsent.search.stored_model import describe
from selfsent.search.stored_places import StoredPlaces
from selfsent.words import Analyser

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from selfsent.runtime.runtime_model import RuntimeModel

_COUNTS = (
    "num_texts",
    "num_added",
    "num_without_direction",
    "num_cut",
    "num_new",
    "num_updated",
    "num_removed",
    "num_unchanged",
)
_SHIFTED_AT_ONCE = 100_000
"""Passages whose places are written together: each write looks for them in the whole store."""

_LOG = logging.getLogger(__name__)


def index_documents(
    model: "SentenceTransformer | RuntimeModel",
    documents: Iterable[Document],
    store: str | Path,
    *,
    model_path: str | Path,
    source: str,
    max_tokens: int | None = None,
    forget: bool = False,
    replaces: Sequence[str] = (),
    batch_size: int = 32,
    fusion_weight: float | None = None,
    analyser: Analyser | None = None,
    keep: Sequence[str] = (),
    skipped: Sequence[Skipped] | None = None,
    rows_per_write: int = ROWS_PER_WRITE,
    max_exact_rows: int = MAX_EXACT_ROWS,
    vectors: VectorType | None = None,
    keep_version: bool = False,
    engine: RayEngine | None = None,
) -> IndexReport:
    """Cut documents into passages, and put those that a store does not hold yet into it.

    A passage's id is the hash of its source, document, title and text, so that what has not changed is not encoded
    again; where only its place has changed, that is brought up to date. What is encoded is the title and the text.
    Documents are written whole, some at a time: the same call continues a run that was killed.

    Args:
        model: The open model; passages go through its ``encode_document``.
        documents: ``selfsent.documents.Documents``, or any others.
        store: A folder, or a URI of object storage that LanceDB knows.
        model_path: Where the model was opened from; recorded in the store.
        source: Names where the documents are from, as a person would: a path, ``hf:NAME`` or ``docs:``.
        max_tokens: Tokens of a passage at most; default 256, or what the model reads if that is less.
        forget: Remove passages of this source that are no longer in it. Documents of files that cannot be read now
            stay, and what another source holds is never touched.
        replaces: Names of other sources in whose place this one comes; what they hold is removed.
        batch_size: Passages encoded at once.
        fusion_weight: Weight of the cosines in hybrid search, in [0, 1], recorded in the store; None leaves it.
        analyser: Finds the words of a new store's texts; None chooses it by the first documents.
        keep: Names of values of the documents (``Document.kept``) that become columns.
        skipped: Files of the source that could not be read, whose documents ``forget`` keeps; default: those that
            ``documents`` names.
        rows_per_write: Passages written at once, or more if a document has more.
        max_exact_rows: As in ``index``.
        vectors: As in ``index``.
        keep_version: As in ``index``.
        engine: As in ``index``.

    Returns:
        Counts of passages and documents.

    Raises:
        UserError: A number is outside its range, the store belongs to another model, another process is writing to it,
            the model gives vectors that are not finite, or the place cannot be written to.
    """
    _refuse_numbers(batch_size, rows_per_write, max_tokens, fusion_weight)
    refuse_kept(keep)
    check_place(str(store))
    cutter = PassageCutter(model, max_tokens)
    if keep_version:
        require_versions(str(store))
    with writing(store, describe(model, model_path, str(store)), vectors) as writer:
        if fusion_weight is not None:
            writer.update_record(replace(writer.record, fusion_weight=fusion_weight))
        if analyser is not None and not len(writer.store):
            writer.update_record(replace(writer.record, analysis=analyser.to_json()))
        indexing = _Indexing(writer, source, model, forget=forget, keep=keep, batch_size=batch_size)
        with tqdm(desc="indexing", unit=" passages", disable=None) as progress:
            if engine is None:
                done = map(indexing.write, _chunks(cutter.rows(_settled(documents, writer)), rows_per_write))
            else:
                spread = write_documents(
                    WriteRequest(engine, writer, indexing.key, model_path, batch_size),
                    documents,
                    keep=keep,
                    max_tokens=max_tokens,
                )
                done = indexing.take_in(spread)
            for num_passages in done:
                progress.update(num_passages)
            indexing.settle_shifted()
        if forget:
            indexing.forget_vanished(getattr(documents, "skipped", ()) if skipped is None else skipped)
        for other in set(replaces) - {source}:
            indexing.forget_source(other)
        if engine is not None:
            build_indices(engine, writer, max_exact_rows=max_exact_rows)
        finish(writer, model, batch_size=batch_size, max_exact_rows=max_exact_rows, keep_version=keep_version)
        report = indexing.report()
    if report.num_cut:
        _LOG.warning(cut_note(model, report.num_cut, report.num_added))
    return report


class _Indexing:
    """One indexing of the documents of a source.

    Args:
        writer: The open store.
        source: Names the source.
        model: The model.
        forget: Whether what has gone is removed.
        keep: Columns that are kept.
        batch_size: Passages encoded at once.
    """

    def __init__(
        self,
        writer: StoreWriter,
        source: str,
        model: "SentenceTransformer | RuntimeModel",
        *,
        forget: bool,
        keep: Sequence[str],
        batch_size: int,
    ) -> None:
        self._writer = writer
        self._model = model
        self._forget = forget
        self._keep = keep
        self._batch_size = batch_size
        self.key = writer.key_of(source)
        self._columns = (*PLACE_COLUMNS, *keep)
        self._stored = StoredPlaces(self._stored_rows(), self._place)
        self._own = KnownIds(writer.owners.ids_of(self.key) if forget else ())
        self._counts: dict[str, int] = dict.fromkeys(_COUNTS, 0)
        self._shifted: list[Row] = []  # passages that wait for their new place to be written

    def write(self, chunk: Sequence[Sequence[Row]]) -> int:
        """Write the passages of some documents; return how many they are."""
        for rows in chunk:
            identify(rows, self.key)
        new, moved, shifted, stale = self._compare(chunk)
        self._writer.keep_columns(self._keep, new + moved + shifted)
        missing = self._writer.missing(new)
        texts = [encoded_text(row) for row in missing]
        owners = self._writer.owners.of(stale)
        own = [name for name, owner in zip(stale, owners, strict=True) if owner == self.key]
        add_encoded(self._writer, missing, texts, self._model, self._counts, batch_size=self._batch_size, stale=own)
        self._settle(moved, stale)
        self._put_off(shifted)
        return sum(map(len, chunk))

    def take_in(self, done: Iterable[Written]) -> Iterator[int]:
        """Count the passages that workers wrote, and after the commit move and remove those that have changed."""
        moved: list[Row] = []
        stale: list[str] = []
        for written in done:
            _, elsewhere, shifted, gone = self._compare(written.rows)
            moved += elsewhere
            stale += gone
            self._put_off(shifted)
            add_counts(self._counts, written.counts)
            yield sum(map(len, written.rows))
        self._settle(moved, stale)

    def _compare(self, chunk: Sequence[Sequence[Row]]) -> tuple[list[Row], list[Row], list[Row], list[str]]:
        """Tell which passages of some documents are new, which stand elsewhere, and the ids of those that are gone.

        Those that stand elsewhere come apart where nothing else of their document has changed.
        """
        new: list[Row] = []
        moved: list[Row] = []
        shifted: list[Row] = []
        stale: list[str] = []
        self._own.meet(row["id"] for rows in chunk for row in rows)
        stored = self._stored.meet([str(rows[0]["document"]) for rows in chunk])
        for rows, places in zip(chunk, stored, strict=True):
            own = {row["id"]: row for row in rows}
            added = [row for name, row in own.items() if places is None or name not in places]
            elsewhere = [
                row
                for name, row in own.items()
                if places and name in places and places[name] != self._stored.hash_of(row)
            ]
            gone = [name for name in places or () if name not in own] if self._forget else []
            self._count(is_new=places is None, is_changed=bool(added or elsewhere or gone))
            new += added
            stale += gone
            (moved if added or gone else shifted).extend(elsewhere)
        self._counts["num_texts"] += sum(map(len, chunk))
        return new, moved, shifted, stale

    def _put_off(self, shifted: Sequence[Row]) -> None:
        """Let passages whose place alone has changed wait until there are many."""
        self._shifted += ({name: row.get(name) for name in ("id", *self._columns)} for row in shifted)
        if len(self._shifted) >= _SHIFTED_AT_ONCE:
            self.settle_shifted()

    def settle_shifted(self) -> None:
        """Bring up to date the places of the passages that wait."""
        self._settle(self._shifted, [])
        self._shifted = []

    def _settle(self, moved: Sequence[Row], stale: Sequence[str]) -> None:
        """Bring the places of passages up to date, and remove those that are gone."""
        known = set(self._writer.store.columns)
        self._writer.update(moved, [name for name in self._columns if name in known])
        self._writer.forget(stale, self.key)

    def forget_vanished(self, skipped: Sequence[Skipped]) -> None:
        """Remove what this source no longer holds; a file that cannot be read now is not gone."""
        unread = unread_files(skipped)
        kept: set[str] = set()
        if unread and self._stored.num_vanished():
            for rows in chunked(self._stored_rows(), ROWS_PER_WRITE):
                have_vanished = self._stored.have_vanished([row["document"] for row in rows])
                held = [
                    row for row, gone in zip(rows, have_vanished, strict=True) if gone and is_in(row["file"], unread)
                ]
                self._own.meet(row["id"] for row in held)
                kept.update(row["document"] for row in held)
        self._counts["num_removed"] = self._stored.num_vanished() - len(kept)
        self._writer.forget(self._own.unmet(), self.key)

    def forget_source(self, source: str) -> None:
        """Remove all that another source holds."""
        key = self._writer.key_of(source)
        if key != self.key:
            self._writer.forget(self._writer.owners.ids_of(key), key)

    def report(self) -> IndexReport:
        """Give the counts so far."""
        return IndexReport(**self._counts, num_rows=len(self._writer.store), **recalls_of(self._writer.record))

    def _count(self, *, is_new: bool, is_changed: bool) -> None:
        self._counts["num_new" if is_new else "num_updated" if is_changed else "num_unchanged"] += 1

    def _stored_rows(self) -> Iterator[Row]:
        """Read where the passages of each document of this source stand."""
        known = set(self._writer.store.columns)
        columns = ["id", "document", *(name for name in self._columns if name in known)]
        return (row for row in self._writer.rows_of(self.key, columns) if row["document"] is not None)

    def _place(self, row: Row) -> tuple[Any, ...]:
        kept = (_comparable(row.get(name)) for name in self._keep)
        return (*(row.get(name) for name in PLACE_COLUMNS), *kept)


def _settled(documents: Iterable[Document], writer: StoreWriter) -> Iterator[Document]:
    """Choose the language of a new store by its first documents, and yield all."""
    unread = iter(documents)
    if writer.is_unsettled:
        first = first_documents(unread)
        writer.settle_language(f"{document.title} {document.text}" for document in first)
        first.reverse()
        while first:  # none is held for longer than it is needed
            yield first.pop()
    yield from unread


def _chunks(rows_of_documents: Iterable[list[Row]], size: int) -> Iterator[list[list[Row]]]:
    """Gather the rows of whole documents until they are enough."""
    chunk: list[list[Row]] = []
    num_rows = 0
    for rows in rows_of_documents:
        if rows:
            chunk.append(rows)
            num_rows += len(rows)
        if num_rows >= size:
            yield chunk
            chunk, num_rows = [], 0
    if chunk:
        yield chunk


def _comparable(value: Any) -> Any:
    """A kept value, told from another whatever the type of its column: 7, 7.0 and "7" are the same."""
    try:
        return str(value) if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return value


def _refuse_numbers(batch_size: int, rows_per_write: int, max_tokens: int | None, fusion_weight: float | None) -> None:
    if batch_size < 1 or rows_per_write < 1:
        raise UserError(f"batch_size and rows_per_write must be at least 1, got {batch_size} and {rows_per_write}")
    if max_tokens is not None and max_tokens < 1:
        raise UserError(f"max_tokens must be at least 1, got {max_tokens}")
    if fusion_weight is not None and not 0 <= fusion_weight <= 1:
        raise UserError(f"fusion_weight must be in [0, 1], got {fusion_weight}")
