"""The snapshot of a store: its rows, vectors and words, in files that a search maps into memory.

A search that reads them imports neither LanceDB nor torch. The snapshot is written aside and renamed when it is whole;
its folder is named by the version of the table it was made of: a table keeps a file for each of its versions, its
manifest, which is never changed, and the folder's name is the hash of the manifest. So a snapshot is found exactly
while its version is the latest, also in a copy of the store.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfsent.search.lance_errors import require
from selfsent.search.store import Store
from selfsent.search.store_place import SNAPSHOTS, TABLE, is_remote, local_folder
from selfsent.search.word_postings import PostingsBuilder

FORMAT = 1
"""Goes up whenever the files change; a search leaves a snapshot of another format alone."""

ABOUT, ROWS, VECTORS, NORMS = "about.json", "rows.arrow", "vectors.npy", "norms.npy"
POSTINGS = ("keys", "starts", "rows", "counts", "lengths")
UNREAD = ("vector", "words")
"""Columns of the table that are not among the snapshot's rows."""

KEPT = "kept.json"
"""Stands in a snapshot that no later one replaces (`selfsent.search.kept_versions`)."""

MAX_BYTES = 1 << 31
"""Size of the vectors of a snapshot at most; a larger store is searched by LanceDB's approximate index."""


def postings_file(name: str) -> str:
    """Name the file of one array of the postings."""
    return f"words-{name}.npy"


def has_room(store: Store) -> bool:
    """Whether a store can have a snapshot: it is local, not empty, and not too large."""
    num_bytes = len(store) * store.model.dimension * np.dtype(store.vectors).itemsize
    return not is_remote(store.uri) and 0 < num_bytes <= MAX_BYTES


def write_snapshot(store: Store) -> Path | None:
    """Write the snapshot of a store's latest version, unless it is there; remove former ones that nobody keeps.

    Call it while no other process writes to the store.

    Args:
        store: A local store whose words are all known.

    Returns:
        The snapshot's folder; None for a store that has none: on object storage, empty, or too large.

    Raises:
        OSError: The disk is full, or the place cannot be written to.
    """
    state = table_state(store.uri)
    folder = None if state is None else snapshot_folder(store.uri, state)
    if folder is None:
        return None
    is_wanted = has_room(store)
    if is_wanted and not (folder / ABOUT).is_file():
        aside = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        try:
            _write(store, aside)
            shutil.rmtree(folder, ignore_errors=True)
            aside.replace(folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    _remove_others(folder)
    return folder if is_wanted else None


def _write(store: Store, folder: Path) -> None:
    pa = require("pyarrow")
    ipc = require("pyarrow.ipc")
    schema = pa.schema([field for field in store.table.schema if field.name not in UNREAD])
    words = PostingsBuilder()
    norms: list[NDArray[np.float32]] = []
    batches: list[Any] = []
    dtype = np.dtype(store.vectors)
    with (folder / VECTORS).open("wb") as vectors:
        _write_header(vectors, (len(store), store.model.dimension), dtype)
        for batch in store.table.search().select(store.columns).to_batches():
            values = batch.column("vector").flatten().to_numpy().reshape(-1, store.model.dimension)
            vectors.write(np.ascontiguousarray(values, dtype=dtype).data)
            norms.append(np.linalg.norm(values.astype(np.float64), axis=1).astype(np.float32))
            words.add(batch.column("words"))
            batches.append(batch.select(schema.names).cast(schema))
    with (folder / ROWS).open("wb") as stream, ipc.new_file(stream, schema) as rows:
        # Of many small batches, Arrow would join a whole column whenever some of its rows are taken.
        rows.write_table(pa.Table.from_batches(batches, schema).combine_chunks())
    np.save(folder / NORMS, np.concatenate(norms))
    for name, array in dataclasses.asdict(words.postings()).items():
        np.save(folder / postings_file(name), array)
    about = {
        "format": FORMAT,
        "version": store.version,
        "num_rows": len(store),
        "model": store.model.to_json(),
        "search": store.record.to_json(),
        "sizes": {path.name: path.stat().st_size for path in folder.iterdir()},
    }
    (folder / ABOUT).write_text(json.dumps(about), "utf8")
    for path in folder.iterdir():
        _sync(path)


def _write_header(stream: Any, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)


def _sync(path: Path) -> None:
    """See to it that a file is on the disk before its folder gets the name that a search looks for."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _remove_others(folder: Path) -> None:
    for other in _others(folder):
        shutil.rmtree(other, ignore_errors=True)


def _others(folder: Path) -> Iterator[Path]:
    with contextlib.suppress(FileNotFoundError):
        known = (path for path in folder.parent.iterdir() if path != folder and path.is_dir())
        yield from (path for path in known if not (path / KEPT).is_file())


_NUM_TRIES = 5  # a writer may remove the version that is being read; the next one is there already
_NEWEST_FIRST_DIGITS = 20  # such a name counts down from the largest number of 64 bits


@dataclass(frozen=True)
class TableState:
    """The latest version of a store's table.

    Args:
        manifest: Its manifest ...
        mark: ... and what the file system says of it; another version has another.
    """

    manifest: Path
    mark: tuple[str, int, int]


def table_state(store: str) -> TableState | None:
    """Give the state of a local store's table; None if it has none that is understood here."""
    if is_remote(store):
        return None
    folder = local_folder(store) / f"{TABLE}.lance" / "_versions"
    for _ in range(_NUM_TRIES):
        try:
            manifest = _latest(folder)
            if manifest is None:
                return None
            status = manifest.stat()
        except FileNotFoundError:
            continue
        except OSError:
            return None
        return TableState(manifest, (manifest.name, status.st_mtime_ns, status.st_size))
    return None


def snapshot_folder(store: str, state: TableState) -> Path | None:
    """Name the folder of a snapshot of a version, whether it is there or not; None where the version is gone."""
    with contextlib.suppress(OSError):
        digest = hashlib.blake2b(state.manifest.read_bytes(), digest_size=16).hexdigest()
        return local_folder(store) / SNAPSHOTS / digest
    return None


def _latest(folder: Path) -> Path | None:
    manifests = [path for path in folder.iterdir() if path.suffix == ".manifest" and path.stem.isdigit()]
    are_counted_down = {len(path.stem) == _NEWEST_FIRST_DIGITS for path in manifests}
    if len(are_counted_down) != 1:
        return None
    return (min if are_counted_down.pop() else max)(manifests, key=lambda path: int(path.stem))
