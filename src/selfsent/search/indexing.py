"""Putting the texts of a source into a store, so that it can be killed at any moment and run again."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer
from tqdm.auto import tqdm

from selfsent.cut_texts import count_cut, cut_note, document_prompt
from selfsent.data.sources import Source
from selfsent.errors import UserError
from selfsent.search.encoding import chunked, encode_texts
from selfsent.search.store import PROVENANCE_COLUMNS
from selfsent.search.store_place import check_place
from selfsent.search.store_writer import writing
from selfsent.search.stored_model import describe
from selfsent.search.text_id import TextIds

ROWS_PER_WRITE = 4096
MAX_EXACT_ROWS = 100_000
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class IndexReport:
    """What an indexing did.

    Args:
        num_texts: Texts of the source.
        num_added: Those that were not in the store yet.
        num_rows: Rows of the store at the end.
        num_without_direction: Added texts whose vector is zero (no known token): only a search by words finds them.
        num_cut: Added texts that are longer than what the model reads; search by words knows all of them.
    """

    num_texts: int
    num_added: int
    num_rows: int
    num_without_direction: int
    num_cut: int = 0


def index(
    model: SentenceTransformer,
    source: Source,
    store: str | Path,
    *,
    model_path: str | Path,
    batch_size: int = 32,
    rows_per_write: int = ROWS_PER_WRITE,
    max_exact_rows: int = MAX_EXACT_ROWS,
) -> IndexReport:
    """Encode the texts of a source that a store does not hold yet, and add them to it.

    A row's id is the hash of its text's content and of how many equal texts came before it, so the same input changes
    nothing, a grown input adds what is new, and an interrupted indexing goes on where it stopped. Rows whose text has
    vanished from the input stay, and a row keeps the place it was first found at: index into a new store to forget.

    Args:
        model: The open model; texts go through its ``encode_document``, so its prompts are honoured.
        source: Every text of every row becomes one row of the store.
        store: A folder, or a URI of object storage that LanceDB knows (``s3://...``; not tested here).
        model_path: Where the model was opened from; recorded in the store.
        batch_size: Texts encoded at once.
        rows_per_write: Texts encoded between two writes: what a kill loses at most, and what memory holds.
        max_exact_rows: Vector search compares the query with every row up to this many; a larger store gets an
            approximate index (IVF_FLAT). The default is where an exact search takes about a tenth of a second
            (measured: 256 dimensions, two cores).

    Returns:
        Counts.

    Raises:
        UserError: The store belongs to another model, another process is writing to it, the model gives vectors that
            are not finite, or the place cannot be written to.
    """
    if batch_size < 1 or rows_per_write < 1:
        raise UserError(f"got a batch of {batch_size} and {rows_per_write} rows a write; both need to be at least 1")
    check_place(str(store))
    counts: dict[str, int] = dict.fromkeys(("num_texts", "num_added", "num_without_direction", "num_cut"), 0)
    prompt = document_prompt(model)
    with writing(store, describe(model, model_path, str(store))) as writer:
        with tqdm(desc="indexing", unit=" texts", disable=None) as progress:
            for rows in chunked(_rows(source), rows_per_write):
                new = writer.missing(rows)
                if new:
                    texts = [row["text"] for row in new]
                    vectors = encode_texts(model.encode_document, texts, batch_size=batch_size)
                    counts["num_added"] += writer.add(new, vectors)
                    counts["num_without_direction"] += int((~vectors.any(axis=1)).sum())
                    counts["num_cut"] += count_cut(model, texts, prompt=prompt)
                counts["num_texts"] += len(rows)
                progress.update(len(rows))
        writer.finish(max_exact_rows=max_exact_rows)
        report = IndexReport(**counts, num_rows=len(writer.store))
    if report.num_cut:
        _LOG.warning(cut_note(model, report.num_cut, report.num_added))
    return report


def _rows(source: Source) -> Iterator[dict[str, Any]]:
    """One row a text: id, text, and what the source knows of where it came from."""
    identify = TextIds()
    columns = source.text_columns
    for row in source:
        provenance = {name: _storable(row.get(name)) for name in PROVENANCE_COLUMNS}
        for column in columns:
            text = str(row[column])
            yield {"id": identify(text), "text": text, **provenance}


def _storable(value: Any) -> Any:
    """A place as the store can hold it: what is not UTF-8 in the name of a file becomes a question mark in a box."""
    return value.encode("utf8", "replace").decode() if isinstance(value, str) else value
