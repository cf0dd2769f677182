"""Where the snapshot of a store is, and whether it is of the table's latest version: read without LanceDB.

A table keeps a file for each of its versions, its manifest, which is never changed. The folder of a snapshot is named
by the hash of the manifest it was made of, so it is found exactly while that version is the latest, also in a copy.
"""

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path

from selfsent.search.store_place import SNAPSHOTS, TABLE, is_remote, local_folder

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
    """Give the state of a local store's table; None where there is none, or none that is understood here."""
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
