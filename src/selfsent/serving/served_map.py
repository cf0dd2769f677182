"""The map of a store: its passages in two dimensions, computed in the background and kept beside the store."""

import json
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfsent.atomic import write_text
from selfsent.errors import UserError
from selfsent.search.store import Store
from selfsent.search.store_place import is_remote, local_folder

MAX_POINTS = 30_000
"""Passages on the map; of more, as many are drawn at random."""

_LAID_OUT = 3000  # t-SNE takes seconds for as many; the others are put between those nearest to them
_NUM_NEAREST = 3
_ROWS_A_BLOCK = 2048
_SHARPNESS = 40.0
_SPREAD = 0.004
_DECIMALS = 4
_SEED = 42
_KEPT = ".map.json"
_COLUMNS = ("id", "text", "vector", "document", "title", "start", "end")
_LOG = logging.getLogger(__name__)


class ServedMap:
    """Computes the map of a store once a version, on a thread of its own, with the store open a second time.

    Args:
        place: The store, or the folder of a ``build``.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._key = ""
        self._content: bytes | None = None
        self._failure: UserError | None = None

    def content(self) -> bytes | None:
        """Give the map as JSON; None while the first one is being computed.

        While the map of a later version is being computed, that of the earlier one is given.

        Raises:
            UserError: The store cannot be read.
        """
        store = Store.open(self._place)
        key = f"{store.model.sha256} {store.version}"
        with self._lock:
            if key == self._key:
                if self._failure is not None:
                    raise self._failure
                return self._content
            if self._thread is None:
                kept = _kept(store, key)
                if kept is not None:
                    self._key, self._content, self._failure = key, kept, None
                else:
                    self._thread = threading.Thread(target=self._compute, args=(store, key), daemon=True)
                    self._thread.start()
            return self._content

    def _compute(self, store: Store, key: str) -> None:
        content, failure = None, None
        try:
            content = json.dumps(map_of(store) | {"key": key}, ensure_ascii=False).encode()
            _keep(store, content)
        except UserError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 the thread must end in an answer
            _LOG.exception("the map of %s failed", self._place)
            failure = UserError(f"the map of the store cannot be computed ({type(error).__name__}); see the log")
        with self._lock:
            self._thread = None
            self._key, self._content, self._failure = key, content, failure


def map_of(store: Store) -> dict[str, Any]:
    """Lay the passages of a store out in two dimensions.

    At most 3,000 of them by ``selfsent.document_report.corpus_map``; each of the others between the three of those
    nearest to it, weighed by their cosines, and in the group of the nearest.

    Args:
        store: The store.

    Returns:
        By columns: ``x`` and ``y`` in 0 to 1, ``document``, ``title``, ``start``, ``end``, ``group`` (number in
        ``groups``); ``passages`` counts all of the store.
    """
    from selfsent.document_report.corpus_map import corpus_map  # noqa: PLC0415 scikit-learn, which a search need not wait for

    total = len(store)
    draw = np.random.default_rng(_SEED)
    chosen = np.sort(draw.choice(total, min(total, MAX_POINTS), replace=False))
    known = [name for name in _COLUMNS if name in store.columns]
    table = store.table.take_offsets(chosen.tolist()).select(known).to_arrow()
    held = table.column("vector").to_numpy(zero_copy_only=False)
    vectors = np.stack(held).astype(np.float32) if total else np.zeros((0, 1), dtype=np.float32)
    rows = table.drop_columns(["vector"]).to_pylist()
    drawn = np.sort(draw.choice(len(rows), min(len(rows), _LAID_OUT), replace=False))
    names = [row.get("document") or row["id"] for row in rows]
    titles = [row.get("title") or "" for row in rows]
    laid_out = corpus_map(
        vectors[drawn],
        [rows[row]["text"] for row in drawn],
        [titles[row] for row in drawn],
        [names[row] for row in drawn],
        seed=_SEED,
        max_points=_LAID_OUT,
    )
    places, groups = _all_places(vectors, drawn, laid_out["points"], draw)
    starts = [row.get("start") or 0 for row in rows]
    lengths = [len(row["text"]) for row in rows]
    return {
        "x": places[:, 0].round(_DECIMALS).tolist(),
        "y": places[:, 1].round(_DECIMALS).tolist(),
        "document": names,
        "title": titles,
        "start": starts,
        "end": [row.get("end") or start + length for row, start, length in zip(rows, starts, lengths, strict=True)],
        "group": groups.tolist(),
        "groups": [group["name"] for group in laid_out["groups"]],
        "passages": total,
    }


def _all_places(
    vectors: NDArray[Any], drawn: NDArray[np.int64], points: Sequence[dict[str, Any]], draw: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Give the place and group of every passage from those of the ones that were laid out."""
    known = np.array([(point["x"], point["y"]) for point in points]).reshape(-1, 2)
    known_groups = np.array([point["group"] for point in points], dtype=np.int64)
    places, groups = np.zeros((len(vectors), 2)), np.zeros(len(vectors), dtype=np.int64)
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    others = np.setdiff1d(np.arange(len(vectors)), drawn)
    for start in range(0, len(others), _ROWS_A_BLOCK):
        block = others[start : start + _ROWS_A_BLOCK]
        cosines = unit[block] @ unit[drawn].T
        nearest = np.argpartition(-cosines, _NUM_NEAREST, axis=1)[:, :_NUM_NEAREST]
        near = np.take_along_axis(cosines, nearest, axis=1)
        weights = np.exp(_SHARPNESS * (near - near.max(axis=1, keepdims=True)))
        weights /= weights.sum(axis=1, keepdims=True)
        places[block] = (known[nearest] * weights[:, :, None]).sum(axis=1)
        groups[block] = known_groups[nearest[np.arange(len(block)), near.argmax(axis=1)]]
    places[others] += draw.normal(0, _SPREAD, (len(others), 2))
    places[drawn], groups[drawn] = known, known_groups
    return places.clip(0, 1), groups


def _file(store: Store) -> Path | None:
    return None if is_remote(store.uri) else local_folder(store.uri) / _KEPT


def _kept(store: Store, key: str) -> bytes | None:
    """The map that was kept, if it is of this version."""
    file = _file(store)
    try:
        content = None if file is None else file.read_bytes()
        return content if content is not None and json.loads(content)["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(store: Store, content: bytes) -> None:
    """Keep a map; a store that may only be read goes without, and the next start computes it again."""
    file = _file(store)
    if file is not None:
        try:
            write_text(file, content.decode())
        except UserError as error:
            _LOG.warning("the map is not kept: %s", error)
