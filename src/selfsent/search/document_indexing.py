"""Putting documents into a store as passages: what is new or changed is encoded, what has gone is forgotten."""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from selfsent.cut_texts import cut_note, document_prompt, num_tokens, token_limit
from selfsent.documents.document import Document
from selfsent.documents.passages import is_short, passages
from selfsent.documents.skipped import Skipped
from selfsent.encoding import chunked
from selfsent.errors import UserError
from selfsent.search.approximate_index import MAX_EXACT_ROWS
from selfsent.search.indexing import ROWS_PER_WRITE, IndexReport, add_encoded, finish, recalls_of, storable
from selfsent.search.kept_versions import require_versions
from selfsent.search.store_place import check_place
from selfsent.search.store_schema import PLACE_COLUMNS, VectorType, refuse_kept
from selfsent.search.store_writer import StoreWriter, writing
from selfsent.search.stored_model import describe
from selfsent.words import Analyser

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from selfsent.runtime.runtime_model import RuntimeModel

MAX_TOKENS = 256
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
_ID_BYTES = 16
_COUNTED_AT_ONCE = 512  # documents
_LOG = logging.getLogger(__name__)

Row = dict[str, Any]
Place = tuple[Any, ...]


def index_documents(
    model: "SentenceTransformer | RuntimeModel",
    documents: Iterable[Document],
    store: str | Path,
    *,
    model_path: str | Path,
    source: str,
    max_tokens: int | None = None,
    forget: bool = False,
    batch_size: int = 32,
    fusion_weight: float | None = None,
    analyser: Analyser | None = None,
    keep: Sequence[str] = (),
    skipped: Sequence[Skipped] | None = None,
    rows_per_write: int = ROWS_PER_WRITE,
    max_exact_rows: int = MAX_EXACT_ROWS,
    vectors: VectorType | None = None,
    keep_version: bool = False,
) -> IndexReport:
    """Cut documents into passages, and put those that a store does not hold yet into it.

    A passage's id is the hash of its source, document, title and text, so that what has not changed is not encoded
    again; where only its place has changed, that is brought up to date. What is encoded is the title and the text.
    Documents are written whole, some at a time: a run that was killed is gone on with by the same call.

    Args:
        model: The open model; passages go through its ``encode_document``.
        documents: ``selfsent.documents.Documents``, or any others.
        store: A folder, or a URI of object storage that LanceDB knows.
        model_path: Where the model was opened from; recorded in the store.
        source: Names where the documents are from, as a person would: a path, ``hf:NAME`` or ``docs:``.
        max_tokens: Tokens of a passage at most; default 256, or what the model reads if that is less.
        forget: Remove passages of this source that are no longer in it. Documents of files that cannot be read now
            stay, and what another source holds is never touched.
        batch_size: Passages encoded at once.
        fusion_weight: Weight of the cosines in hybrid search, in [0, 1], recorded in the store; None leaves it.
        analyser: Finds the words of a new store's texts, so that they are written with the rows; None finds it out
            from all rows at the end, and writes the words of each row then.
        keep: Names of values of the documents (``Document.kept``) that become columns.
        skipped: What of the source could not be read, which ``forget`` keeps; default: what ``documents`` says itself.
        rows_per_write: Passages written at once, or more if a document has more.
        max_exact_rows: As in ``index``.
        vectors: As in ``index``.
        keep_version: As in ``index``.

    Returns:
        Counts of passages and documents.

    Raises:
        UserError: A number is outside its range, the store belongs to another model, another process is writing to it,
            the model gives vectors that are not finite, or the place cannot be written to.
    """
    _refuse_numbers(batch_size, rows_per_write, max_tokens, fusion_weight)
    refuse_kept(keep)
    check_place(str(store))
    cutter = _Cutter(model, max_tokens)
    if keep_version:
        require_versions(str(store))
    with writing(store, describe(model, model_path, str(store)), vectors) as writer:
        if fusion_weight is not None:
            writer.update_record(replace(writer.record, fusion_weight=fusion_weight))
        if analyser is not None and not len(writer.store):
            writer.update_record(replace(writer.record, analysis=analyser.to_json()))
        indexing = _Indexing(writer, source, model, forget=forget, keep=keep, batch_size=batch_size)
        with tqdm(desc="indexing", unit=" passages", disable=None) as progress:
            for chunk in _chunks(cutter.rows(documents), rows_per_write):
                progress.update(indexing.write(chunk))
        if forget:
            indexing.forget_vanished(getattr(documents, "skipped", ()) if skipped is None else skipped)
        finish(writer, model, batch_size=batch_size, max_exact_rows=max_exact_rows, keep_version=keep_version)
        report = indexing.report()
    if report.num_cut:
        _LOG.warning(cut_note(model, report.num_cut, report.num_added))
    return report


class _Cutter:
    """Cuts documents into passages that fit the model together with the title.

    Args:
        model: The model, whose tokenizer counts.
        max_tokens: Tokens of a passage at most; None for the default.
    """

    def __init__(self, model: "SentenceTransformer | RuntimeModel", max_tokens: int | None) -> None:
        self._model = model
        self._limit = token_limit(model)
        self._prompt = document_prompt(model)
        self.max_tokens = max_tokens or min(MAX_TOKENS, self._limit or MAX_TOKENS)
        self._counted: dict[str, int] = {}

    def rows(self, documents: Iterable[Document]) -> Iterator[list[Row]]:
        """Yield the rows of each document; the tokens of short ones are counted together, on all threads."""
        for some in chunked(documents, _COUNTED_AT_ONCE):
            texts = (document.text.strip() for document in some)
            whole = [text for text in texts if is_short(len(text), self.max_tokens)]
            self._counted = dict(zip(whole, num_tokens(self._model, whole), strict=True))
            yield from map(self, some)

    def __call__(self, document: Document) -> list[Row]:
        """Give the rows of a document."""
        place = {"file": document.file, "package": document.package, "qualified_name": document.qualified_name}
        return [
            {
                "text": passage.text,
                "document": document.id,
                "title": passage.title,
                "start": passage.start,
                "end": passage.end,
                "line": passage.line,
                "page": passage.page,
                **{name: storable(value) for name, value in place.items()},
                **{name: None if value == "" else value for name, value in document.kept},
            }
            for passage in passages(document, max_tokens=self._room(document.title), count_tokens=self._count)
        ]

    def _room(self, title: str) -> int:
        """Tokens left for the text beside the title; half of what the model reads at least."""
        if self._limit is None:
            return self.max_tokens
        before = f"{self._prompt}{title}".strip()
        taken = self._count(before) if before else 0
        return max(1, min(self.max_tokens, self._limit - min(taken, self._limit // 2)))

    def _count(self, text: str) -> int:
        counted = self._counted.get(text)
        return num_tokens(self._model, [text])[0] if counted is None else counted


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
        self._key = writer.key_of(source)
        self._columns = (*PLACE_COLUMNS, *keep)
        self._stored = self._stored_places()
        self._seen_documents: set[str] = set()
        self._seen: set[str] = set()
        self._counts: dict[str, int] = dict.fromkeys(_COUNTS, 0)

    def write(self, chunk: Sequence[Sequence[Row]]) -> int:
        """Write the passages of some documents; return how many they are."""
        new: list[Row] = []
        moved: list[Row] = []
        stale: list[str] = []
        for rows in chunk:
            self._identify(rows)
            places = self._stored.get(str(rows[0]["document"]))
            own = {row["id"]: row for row in rows}
            added = [row for name, row in own.items() if places is None or name not in places]
            elsewhere = [
                row for name, row in own.items() if places and name in places and places[name] != self._place(row)
            ]
            gone = [name for name in places or () if name not in own] if self._forget else []
            self._count(is_new=places is None, is_changed=bool(added or elsewhere or gone))
            new += added
            moved += elsewhere
            stale += gone
        self._writer.keep_columns(self._keep, new + moved)
        missing = self._writer.missing(new)
        texts = [f"{row['title']} {row['text']}".strip() for row in missing]
        own = [name for name in stale if self._writer.owners.get(name) == self._key]
        add_encoded(self._writer, missing, texts, self._model, self._counts, batch_size=self._batch_size, stale=own)
        known = set(self._writer.store.columns)
        self._writer.update(moved, [name for name in self._columns if name in known])
        self._writer.forget((name for name in stale if name in self._writer.owners), self._key)
        num_rows = sum(map(len, chunk))
        self._counts["num_texts"] += num_rows
        return num_rows

    def forget_vanished(self, skipped: Sequence[Skipped]) -> None:
        """Remove what this source no longer holds; a file that cannot be read now is not gone."""
        unread = {one.file for one in skipped if one.reason != "empty"}
        vanished = [document for document in self._stored if document not in self._seen_documents]
        for document in vanished:
            places = self._stored[document]
            files = {place[PLACE_COLUMNS.index("file")] for place in places.values()}
            if any(_is_in(file, unread) for file in files if file):
                self._seen.update(places)
            else:
                self._counts["num_removed"] += 1
        self._writer.forget((name for name in list(self._writer.owners) if name not in self._seen), self._key)

    def report(self) -> IndexReport:
        """Give the counts so far."""
        return IndexReport(**self._counts, num_rows=len(self._writer.store), **recalls_of(self._writer.record))

    def _identify(self, rows: Sequence[Row]) -> None:
        """Name the passages of a document; equal ones differ by how many came before."""
        num_seen: Counter[str] = Counter()
        for row in rows:
            content = "\0".join((self._key, str(row["document"]), row["title"], row["text"]))
            num_seen[content] += 1
            named = f"{content}\0{num_seen[content]}".encode("utf8", "surrogatepass")
            row["id"] = hashlib.blake2b(named, digest_size=_ID_BYTES).hexdigest()
            row["sources"] = self._key
            self._seen.add(row["id"])
        self._seen_documents.add(str(rows[0]["document"]))

    def _count(self, *, is_new: bool, is_changed: bool) -> None:
        self._counts["num_new" if is_new else "num_updated" if is_changed else "num_unchanged"] += 1

    def _stored_places(self) -> dict[str, dict[str, Place]]:
        """Read where the passages of each document of this source stand."""
        known = set(self._writer.store.columns)
        columns = ["id", "document", *(name for name in self._columns if name in known)]
        stored: dict[str, dict[str, Place]] = {}
        for row in self._writer.rows_of(self._key, columns):
            if row["document"] is not None:
                stored.setdefault(row["document"], {})[row["id"]] = self._place(row)
        return stored

    def _place(self, row: Row) -> Place:
        kept = (_comparable(row.get(name)) for name in self._keep)
        return (*(row.get(name) for name in PLACE_COLUMNS), *kept)


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


def _is_in(file: str, unread: set[str]) -> bool:
    """Whether a file, or a folder that it is in, could not be read."""
    return file in unread or any(str(folder) in unread for folder in PurePosixPath(file).parents)


def _refuse_numbers(batch_size: int, rows_per_write: int, max_tokens: int | None, fusion_weight: float | None) -> None:
    if batch_size < 1 or rows_per_write < 1:
        raise UserError(f"got a batch of {batch_size} and {rows_per_write} rows a write; both need to be at least 1")
    if max_tokens is not None and max_tokens < 1:
        raise UserError(f"max_tokens must be at least 1, got {max_tokens}")
    if fusion_weight is not None and not 0 <= fusion_weight <= 1:
        raise UserError(f"fusion_weight must be in [0, 1], got {fusion_weight}")
