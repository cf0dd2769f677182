"""Rows and their vectors as a piece of a store's table, with the words that they are searched by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfsent.int8_rows import quantised
from selfsent.search.lance_errors import require
from selfsent.search.store_schema import column_of
from selfsent.words import Analyser


@dataclass(frozen=True)
class StoredRows:
    """Makes rows into a piece of a table; needs no open store, so that another process can do it.

    Args:
        schema: Schema of the table, without metadata.
        analyser: Finds the words of the rows; None leaves them to be found when the store is finished.
    """

    schema: Any
    analyser: Analyser | None

    def table(self, rows: Sequence[dict[str, Any]], vectors: NDArray[np.float32]) -> Any:
        """Make a table of Arrow.

        Args:
            rows: For each row its ``id``, ``text`` and what is known of the other columns.
            vectors: Their vectors, ``(rows, dimension)``.

        Raises:
            UserError: A value does not fit its column.
        """
        pa = require("pyarrow")
        if self.analyser is not None:
            rows = [row | {"words": words_of(row, self.analyser)} for row in rows]
        kind = self.schema.field("vector").type
        held = quantised(vectors)[0] if str(kind.value_type) == "int8" else vectors.astype(np.float32, copy=False)
        columns = {"vector": pa.FixedSizeListArray.from_arrays(pa.array(held.ravel()), kind.list_size)}
        columns |= {field.name: column_of(field, rows) for field in self.schema if field.name != "vector"}
        return pa.table(columns, schema=self.schema)


def words_of(row: Mapping[str, Any], analyser: Analyser) -> str:
    """What the index of words holds of a row: the words of its title and its text."""
    return " ".join(analyser.analyse(f"{row.get('title') or ''} {row['text']}".strip()))
