"""Removing documents from a store by their ids."""

from collections.abc import Sequence
from pathlib import Path

from selfsent.errors import UserError
from selfsent.search.approximate_index import MAX_EXACT_ROWS
from selfsent.search.lance_errors import require
from selfsent.search.store import Store
from selfsent.search.store_place import store_in
from selfsent.search.store_writer import writing


def forget_documents(store: str | Path, documents: Sequence[str]) -> int:
    """Remove all passages of documents, whatever source they are from.

    The next indexing of a source that still holds them adds them again.

    Args:
        store: The store's folder or URI, or the folder of a ``build``.
        documents: Ids of documents, as answers give them; of a text that is a row of its own, the id of its row.

    Returns:
        Number of passages that were removed.

    Raises:
        UserError: There is no such store, it does not hold one of the documents (then none is removed), or another
            process is writing to it.
    """
    place = store_in(store)
    found = Store.open(place)
    with writing(place, found.model) as writer:
        ids = {name: _rows_of(writer.store, name) for name in documents}
        missing = [name for name, rows in ids.items() if not rows]
        if missing:
            raise UserError(
                f"the store {store} holds no document {missing[0]!r}, and nothing was removed; take the `document` of"
                " an answer (`selfsent search --json`)"
            )
        gone = list(dict.fromkeys(row for rows in ids.values() for row in rows))
        writer.remove(gone)
        writer.finish(max_exact_rows=MAX_EXACT_ROWS)
    return len(gone)


def _rows_of(store: Store, name: str) -> list[str]:
    expressions = require("lancedb.expr")
    for column in ("document", "id"):
        chosen = expressions.col(column) == expressions.lit(name)
        rows = store.table.search().where(chosen).select(["id"]).to_arrow().column("id").to_pylist()
        if rows:
            return rows
    return []
