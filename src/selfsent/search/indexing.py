"""Putting the texts of a source into a store, so that it can be killed at any moment and run again."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer
from tqdm.auto import tqdm

from selfsent.data.sources import Source
from selfsent.errors import UserError
from selfsent.search.encoding import chunked, encode_texts
from selfsent.search.store import PROVENANCE_COLUMNS, Store
from selfsent.search.stored_model import describe
from selfsent.search.text_id import TextIds

ROWS_PER_WRITE = 4096
MAX_EXACT_ROWS = 100_000


@dataclass(frozen=True, kw_only=True)
class IndexReport:
    """What an indexing did.

    Args:
        num_texts: Texts of the source.
        num_added: Those that were not in the store yet.
        num_rows: Rows of the store at the end.
        num_without_direction: Added texts whose vector is zero (no known token): only a search by words finds them.
    """

    num_texts: int
    num_added: int
    num_rows: int
    num_without_direction: int


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
        UserError: The store belongs to another model, the model gives vectors that are not finite, or the place cannot
            be written to.
    """
    if batch_size < 1 or rows_per_write < 1:
        raise UserError(f"got a batch of {batch_size} and {rows_per_write} rows a write; both need to be at least 1")
    opened = Store.open_or_create(store, describe(model, model_path, str(store)))
    known = set(opened.ids())
    num_texts = num_added = num_without_direction = 0
    with tqdm(desc="indexing", unit=" texts", disable=None) as progress:
        for rows in chunked(_rows(source), rows_per_write):
            new = [row for row in rows if row["id"] not in known]
            if new:
                vectors = encode_texts(model.encode_document, [row["text"] for row in new], batch_size=batch_size)
                opened.add(new, vectors)
                num_without_direction += int((~vectors.any(axis=1)).sum())
            num_texts += len(rows)
            num_added += len(new)
            progress.update(len(rows))
    opened.finish(max_exact_rows=max_exact_rows)
    return IndexReport(
        num_texts=num_texts, num_added=num_added, num_rows=len(opened), num_without_direction=num_without_direction
    )


def _rows(source: Source) -> Iterator[dict[str, Any]]:
    """One row a text: id, text, and what the source knows of where it came from."""
    identify = TextIds()
    columns = source.text_columns
    for row in source:
        provenance = {name: row.get(name) for name in PROVENANCE_COLUMNS}
        for column in columns:
            text = str(row[column])
            yield {"id": identify(text), "text": text, **provenance}
