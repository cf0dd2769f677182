"""The one exception a user's mistake becomes, and the name that may have been meant."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A mistake of the caller: one line saying what was received, what is needed, and how to get there.

    The command line prints the text after ``error:`` and exits with code 2, without a traceback. From Python it is a
    ``ValueError``.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Ask for the known name nearest to an unknown one, ``" (did you mean 'sct'?)"``; empty where none is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
