"""One writer a folder: a lock that ends with the process that holds it, however that process ends."""

import contextlib
import errno
import logging
import os
import socket
import time
from collections.abc import Generator
from pathlib import Path

from filelock import FileLock, Timeout

from selfsent.errors import UserError

LOCK_FILE = ".writer.lock"
"""Name of the file in the folder that is locked; it stays there, empty, when nobody holds it."""

_NO_LOCKS_HERE = {errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK}
_LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def one_writer(folder: str | Path, what: str, *, shown: str | Path | None = None) -> Generator[None]:
    """Hold a folder for writing while the block runs; refuse it if another process (or this one) holds it already.

    The operating system lets go of the lock when its process ends, also by SIGKILL, so nothing has to be cleaned up.
    Object storage has no such lock: call this for local folders only.

    Args:
        folder: The folder; made if missing.
        what: Noun for the error text, such as ``store``.
        shown: What the error text calls the folder; default: its path.

    Raises:
        UserError: Another process holds the folder (it is named), or the folder cannot be written to.
    """
    path = Path(folder, LOCK_FILE)
    named = f"the {what} {shown or folder}"
    holder = _holder(path)
    lock = FileLock(path, blocking=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise UserError(
            f"{named} is being written by {holder}; wait until it has ended, or name another {what}"
        ) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS_HERE:
            reason = error.strerror or error
            raise UserError(f"cannot write {named}: {reason}; name another place") from error
        _LOG.warning(
            "the disk of %s knows no locks: a second process can write there at the same time", shown or folder
        )
    try:
        _sign(path, f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}")
        yield
    finally:
        if path.is_file():  # not made again where the block has removed the folder's traces
            _sign(path, "")
        lock.release()


def _holder(path: Path) -> str:
    """Who signed the lock; on Windows nobody may read a locked file."""
    with contextlib.suppress(OSError):
        return path.read_text("utf8").strip() or "another process"
    return "another process"


def _sign(path: Path, text: str) -> None:
    """Say in the file who holds it; a full disk or a folder that was moved meanwhile does not stop it."""
    with contextlib.suppress(OSError):
        path.write_text(text, "utf8")
