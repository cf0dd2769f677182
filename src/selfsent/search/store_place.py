"""Where a store is: a local folder, or a URI of object storage; checked before anything is opened or made."""

import os
import shlex
from pathlib import Path

from selfsent.errors import UserError
from selfsent.one_writer import LOCK_FILE

TABLE = "texts"
SNAPSHOTS = "snapshots"
"""Where the snapshots of a store's table are, which a search reads without LanceDB."""

BUILT_STORE = "store"
"""Where ``build`` puts the store in its folder."""


def is_remote(store: str) -> bool:
    """Whether a store is named by a URI (``s3://bucket/store``) and not by a folder."""
    return "://" in store


def local_folder(store: str) -> Path:
    """The folder of a local store: absolute, its links followed, ``~`` expanded."""
    return Path(os.path.realpath(os.path.expanduser(store)))  # noqa: PTH111 Path's own raise where HOME is unknown


def is_store(path: str | Path) -> bool:
    """Whether a path means a store, of a folder that ``build`` made too, and not a model; on object storage all do."""
    return is_remote(str(path)) or (local_folder(store_in(path)) / f"{TABLE}.lance").is_dir()


def store_in(path: str | Path) -> str:
    """Name the store that a path means: the store of a folder that ``build`` made, else the path itself."""
    name = str(path)
    if is_remote(name) or not name.strip():
        return name
    inner = Path(name, BUILT_STORE)
    is_build = (
        not (local_folder(name) / f"{TABLE}.lance").is_dir() and (local_folder(str(inner)) / f"{TABLE}.lance").is_dir()
    )
    return str(inner) if is_build else name


def no_store(place: str | Path) -> UserError:
    """Make the error of a place that holds no store: it says what is there, and how to make one."""
    name = str(place)
    written = shlex.quote(name)
    index = f"`selfsent index MODEL INPUT --store {written}`"
    if is_remote(name):
        return UserError(f"no finished store in {name}; make one: {index}")
    if (local_folder(name) / "modules.json").is_file():
        return UserError(
            f"{name} is a model, not a store; index texts with it: `selfsent index {written} INPUT --store DIR`"
        )
    state = "no finished store in" if local_folder(name).exists() else "no store at"
    return UserError(f"{state} {name}; make one: `selfsent build DOCUMENTS --output {written}`, or {index}")


def check_place(store: str) -> None:
    """Refuse a name that cannot be a store's.

    Raises:
        UserError: It is empty, names a file, or is not UTF-8, which LanceDB needs.
    """
    if not store.strip():
        raise UserError("the name of the store is empty; name a folder, such as `--store store`")
    if is_remote(store):
        return
    folder = local_folder(store)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{store} is a file, not a store; name the folder that `selfsent index --store` made")
    try:
        str(folder).encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"the store {str(folder)!a} has a path that is not UTF-8, which LanceDB cannot open; rename the folder"
        ) from error


def refuse_foreign_folder(store: str) -> None:
    """Do not scatter a new store over a folder of something else.

    Raises:
        UserError: The folder holds something that is not the beginnings of a store.
    """
    if is_remote(store) or not local_folder(store).is_dir():
        return
    ours = {f"{TABLE}.lance", LOCK_FILE, SNAPSHOTS}
    others = sorted(path.name for path in local_folder(store).iterdir() if path.name not in ours)
    if others:
        raise UserError(f"{store} is not a store: it holds {others[0]!r}; name an empty or a new folder")
