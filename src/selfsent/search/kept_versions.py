"""Versions of a store that stay searchable: snapshots that no later indexing removes."""

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfsent.errors import UserError
from selfsent.one_writer import one_writer
from selfsent.search.store_place import SNAPSHOTS, is_remote, local_folder, no_store, store_in
from selfsent.search.store_snapshot import ABOUT, KEPT, snapshot_folder, table_state


@dataclass(frozen=True, kw_only=True)
class StoredVersion:
    """A version of a store that can be searched.

    Args:
        version: Its number.
        num_rows: Texts or passages in it.
        num_bytes: What its snapshot takes on the disk.
        is_latest: Whether it is what a search without a version searches.
        kept: When somebody asked to keep it, as ``2026-01-31 12:00``; None where nobody did.
        folder: Its snapshot.
    """

    version: int
    num_rows: int
    num_bytes: int
    is_latest: bool
    kept: str | None
    folder: Path

    def line(self) -> str:
        """Give the line that `selfsent versions` prints."""
        notes = [*(["latest"] if self.is_latest else []), *([f"kept {self.kept}"] if self.kept else [])]
        return f"{self.version}: {self.num_rows:,} rows, {self.num_bytes / 1e6:.1f} MB ({', '.join(notes)})"


def keep_version(folder: Path) -> None:
    """Mark a snapshot so that later indexing does not remove it."""
    (folder / KEPT).write_text(json.dumps({"kept": time.strftime("%Y-%m-%d %H:%M")}), "utf8")


def require_versions(store: str) -> None:
    """Refuse a store of which no version can be kept.

    Raises:
        UserError: It is on object storage.
    """
    if is_remote(store):
        raise UserError(f"versions are kept in local stores only, and {store} is on object storage; copy the store")


def stored_versions(store: str | Path) -> list[StoredVersion]:
    """List the versions of a store that can be searched, the oldest first.

    Args:
        store: The store's folder, or the folder of a ``build``.

    Raises:
        UserError: There is no such store, or it is on object storage.
    """
    place = store_in(store)
    require_versions(place)
    state = table_state(place)
    if state is None:
        raise no_store(store)
    latest = snapshot_folder(place, state)
    return sorted(_versions(place, latest), key=lambda one: one.version)


def folder_of_version(store: str | Path, version: int) -> Path:
    """Give the snapshot of a version.

    Raises:
        UserError: There is none.
    """
    return _found(store, version).folder


def drop_version(store: str | Path, version: int) -> StoredVersion:
    """Stop keeping a version: its snapshot is removed unless it is the latest.

    Raises:
        UserError: There is no such version, or another process is writing to the store.
    """
    found = _found(store, version)
    if found.kept is None:
        raise UserError(f"version {version} of {store} is not kept: the next indexing removes it by itself")
    place = store_in(store)
    with one_writer(local_folder(place), "store", shown=store):
        if found.is_latest:
            (found.folder / KEPT).unlink(missing_ok=True)
        else:
            shutil.rmtree(found.folder)
    return found


def _found(store: str | Path, version: int) -> StoredVersion:
    known = stored_versions(store)
    for one in known:
        if one.version == version:
            return one
    names = ", ".join(str(one.version) for one in known) or "none"
    raise UserError(
        f"the store {store} keeps no version {version}; it has {names} (`selfsent index --keep-version` keeps one)"
    )


def _versions(place: str, latest: Path | None) -> Iterator[StoredVersion]:
    parent = local_folder(place) / SNAPSHOTS
    for folder in parent.iterdir() if parent.is_dir() else ():
        about, kept = _read(folder / ABOUT), _read(folder / KEPT)
        if about is not None and (kept is not None or folder == latest):
            yield StoredVersion(
                version=int(about["version"]),
                num_rows=int(about["num_rows"]),
                num_bytes=sum(path.stat().st_size for path in folder.iterdir()),
                is_latest=folder == latest,
                kept=None if kept is None else str(kept.get("kept")),
                folder=folder,
            )


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text("utf8"))
    except (OSError, ValueError):
        return None
