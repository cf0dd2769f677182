"""The files a source names: one, or all of a folder except hidden ones and those that this package wrote."""

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from selfsent.data.cells import shown
from selfsent.data.compression import format_suffixes
from selfsent.data.formats import KNOWN_NAMES, is_readable, read_head, read_lines
from selfsent.data.tables import Table, Tables
from selfsent.errors import UserError

_OWN_ENTRIES = ("modules.json", "run.json", "texts.lance")
"""Names that mark a folder as a model, a run or a store."""

CHECK_THE_PATH = "check the path (a data set of the hub is named `hf:NAME`)"
"""Advice of an error that says that a source is missing."""

_ENCODED_COLUMNS = ["id", "text", "embedding"]
_NUM_SHOWN = 5
_PATH_CHARACTERS = 300
_KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


@dataclass
class FolderFiles:
    """What a folder holds, links to other folders followed, each list sorted.

    Args:
        files: Files that can be read again and again.
        own: Folders and files that this package wrote.
        special: Pipes, sockets, devices, links to nothing or back to the folder, and folders that may not be listed.
    """

    files: list[Path] = field(default_factory=list[Path])
    own: list[Path] = field(default_factory=list[Path])
    special: list[Path] = field(default_factory=list[Path])


def expanded(path: str | Path) -> Path:
    """The place a path names: ``~`` and ``~user`` are home folders, where there are such."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def readable_name(path: Path) -> str:
    """A path as text that can be written anywhere: bytes that are not UTF-8 become escapes."""
    return os.fsencode(path).decode("utf8", "backslashreplace")


def named_files(paths: Iterable[Path], folder: Path) -> str:
    """The first five paths below a folder, for a note."""
    names = [readable_name(path.relative_to(folder)) for path in paths]
    return ", ".join(names[:_NUM_SHOWN]) + (f" and {len(names) - _NUM_SHOWN} more" if len(names) > _NUM_SHOWN else "")


def file_tables(path: Path, exclude: Sequence[str | Path] = ()) -> Tables:
    """Name the tables of a file or a folder.

    Args:
        path: What the user named.
        exclude: Files and folders to leave out of a folder.

    Raises:
        UserError: There is no such file, it can be read only once, or a folder holds none of a known format.
    """
    refuse_missing(path, CHECK_THE_PATH)
    if not path.is_dir():
        return Tables([_table(path, path.name)], [])
    found = files_below(path, exclude)
    readable = [file for file in found.files if is_readable(file)]
    embeddings = [file for file in readable if _is_encoded(file)]
    if len(embeddings) < len(readable):
        readable = [file for file in readable if file not in embeddings]
        found.own += embeddings
    if not readable:
        raise UserError(f"the folder {readable_name(path)} holds no file of a known format; known are {KNOWN_NAMES}")
    others = [file for file in found.files if not is_readable(file)]
    notes = [f"files not read, of no known format: {named_files(others, path)}"] if others else []
    return Tables(
        [_table(file, readable_name(file.relative_to(path))) for file in readable], [*notes, *notes_of(found, path)]
    )


def refuse_missing(path: Path, advice: str) -> None:
    """Require a folder, or a file that can be read again and again.

    Raises:
        UserError: There is nothing, or a pipe, a socket or a device.
    """
    if not os.path.exists(path):  # noqa: PTH110 `Path.exists` fails for a name that is too long
        raise UserError(f"no file or folder at {shown(readable_name(path), _PATH_CHARACTERS)}; {advice}")
    kind = _KINDS.get(stat.S_IFMT(path.stat().st_mode))
    if kind is not None:
        raise UserError(
            f"{readable_name(path)} is {kind}, and a source is read more than once; write what it gives to a file, and"
            " name that"
        )


def files_below(folder: Path, exclude: Sequence[str | Path] = ()) -> FolderFiles:
    """List the files of a folder and of all folders in it, each folder once however many links lead to it.

    Args:
        folder: Where to begin.
        exclude: Files and folders to leave out.
    """
    excluded = {os.path.realpath(expanded(path)) for path in exclude}
    found = FolderFiles()
    folders, linked, seen = [folder], list[Path](), set[tuple[int, int]]()
    while folders or linked:
        current = folders.pop() if folders else linked.pop()
        status = current.stat()
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        for path in _visible(current, found):
            if os.path.realpath(path) in excluded:
                found.own.append(path)
            elif path.is_file():
                found.files.append(path)
            elif not path.is_dir() or _leads_back(path, folder):
                found.special.append(path)
            elif any((path / name).exists() for name in _OWN_ENTRIES):
                found.own.append(path)
            else:
                (linked if path.is_symlink() else folders).append(path)
    return FolderFiles(sorted(found.files), sorted(found.own), sorted(found.special))


def notes_of(found: FolderFiles, folder: Path) -> list[str]:
    """Name files of a folder that are not read although their names have a known ending."""
    notes: list[str] = []
    if found.own:
        notes.append(f"not read, written by selfsent itself: {named_files(found.own, folder)}")
    if found.special:
        notes.append(
            "not read, a pipe, a device, a link to nothing or in a circle, or a closed folder: "
            f"{named_files(found.special, folder)}"
        )
    return notes


def _leads_back(path: Path, folder: Path) -> bool:
    """Whether a folder is a link to one that holds the folder being read."""
    return path.is_symlink() and Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(path))


def _table(file: Path, name: str) -> Table:
    return Table(
        readable_name(Path(name)),
        readable_name(file),
        lambda columns: read_lines(file, columns),
        lambda: read_head(file),
    )


def _visible(folder: Path, found: FolderFiles) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        found.special.append(folder)
        return []


def _is_encoded(file: Path) -> bool:
    """Whether a file is what ``selfsent encode`` wrote, by its columns."""
    if format_suffixes(file) != (".parquet", ""):
        return False
    try:
        with file.open("rb") as stream:  # Arrow takes no name that is not UTF-8
            return pq.read_schema(stream).names == _ENCODED_COLUMNS
    except (OSError, pa.ArrowException):
        return False
