"""Writing aside and renaming, so that a killed process never leaves a half-written file or folder."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

from selfsent.errors import UserError


@contextlib.contextmanager
def atomic_path(path: Path) -> Generator[Path]:
    """Yield a temporary file path beside ``path``, renamed over it when the block ends without an exception.

    A link stays: what it points to is replaced. A device or a pipe (``/dev/stdout``) is written to, not replaced.

    Args:
        path: The file to write. Missing parent folders are made.

    Raises:
        UserError: The place cannot be written to, or the disk is full.
    """
    target = path if is_device(path) else Path(os.path.realpath(path))
    folder = Path(tempfile.gettempdir()) if is_device(path) else target.parent
    aside = folder / f".{target.name}.{os.getpid()}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield aside
        if is_device(path):
            target.write_bytes(aside.read_bytes())
        else:
            aside.replace(target)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; name another place or free some space"
        ) from error
    finally:
        with contextlib.suppress(OSError):  # a parent that is a file; the error above says so already
            aside.unlink(missing_ok=True)


def is_device(path: Path) -> bool:
    """Whether ``path`` is there and is neither a file nor a folder, such as a terminal or a pipe."""
    return path.exists() and not path.is_file() and not path.is_dir()


def require_file_place(path: Path) -> None:
    """Refuse a place where no file can be written, before the work whose outcome goes there.

    Raises:
        UserError: It is a folder, or the folder it would stand in is a file or cannot be written to.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file")
    if is_device(path):
        return
    folder = next(parent for parent in Path(os.path.realpath(path)).parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        reason = "cannot be written to" if folder.is_dir() else "is a file"
        raise UserError(f"cannot write {path}: {folder} {reason}; name another place")


@contextlib.contextmanager
def atomic_directory(path: Path) -> Generator[Path]:
    """Yield a temporary folder beside ``path``, renamed to it when the block ends; what stood there before is replaced.

    The former folder is moved aside first and removed last, so that at every moment a whole folder, old or new, exists.

    Args:
        path: The folder to write. Missing parent folders are made.

    Raises:
        UserError: The place is a file, cannot be written to, or the disk is full.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    former = path.with_name(f".{path.name}.{os.getpid()}.old")
    if path.is_file():
        raise UserError(f"cannot write the folder {path}: it is a file; name another place")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        yield aside
        if path.exists():
            path.replace(former)
        aside.replace(path)
    except OSError as error:
        if former.exists() and not path.exists():
            former.replace(path)
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; name another place or free some space"
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(former, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8, aside and renamed; a name that is not UTF-8 becomes escapes, as in JSON."""
    with atomic_path(path) as aside:
        aside.write_text(text, encoding="utf8", errors="backslashreplace")  # a name that is not UTF-8
