"""The folder where this package keeps what it can compute again."""

import os
from pathlib import Path


def cache_folder() -> Path | None:
    """Name the folder: ``$XDG_CACHE_HOME/selfsent``, else ``~/.cache/selfsent``.

    Returns:
        The folder, which need not exist; ``None`` for a user without a home folder.
    """
    named = os.environ.get("XDG_CACHE_HOME")
    try:
        return Path(named or Path.home() / ".cache", "selfsent")
    except RuntimeError:
        return None
