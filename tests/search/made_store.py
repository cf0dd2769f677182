"""Stores of handmade vectors, so that every score is known."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from selfsent.search.store import Store
from selfsent.search.store_writer import writing
from selfsent.search.stored_model import StoredModel

RECORD = StoredModel(path="./model", sha256="0", dimension=2, prompts={})


def at(degrees: float) -> np.ndarray:
    """A vector of length one; the cosine of two is that of the angle between them."""
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], dtype=np.float32)


def made_store(place: Path, rows: Sequence[dict[str, Any]], *, weight: float | None = None, **record: Any) -> Store:
    """Make a store of rows with ``text``, ``degrees`` and any columns; ids count from 0."""
    with writing(place, RECORD) as writer:
        keep = [name for name in rows[0] if name not in ("degrees", *writer.store.columns)]
        writer.keep_columns(keep, rows)
        key = writer.key_of("source")
        numbered = [{"id": f"{number:05}", "sources": key, "title": "", **row} for number, row in enumerate(rows)]
        writer.add(numbered, np.array([at(row["degrees"]) for row in rows]))
        writer.update_record(replace(writer.record, fusion_weight=weight, **record))
        writer.finish(max_exact_rows=100_000)
    return Store.open(place)
