"""The one exception that a user's mistake becomes, and what several errors say alike."""

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


def not_one_of(name: str, value: object, allowed: Iterable[object]) -> str:
    """Say that a value must be one of a few, and which may have been meant.

    ``mode must be one of vector, text, hybrid, got 'hybird' (did you mean 'hybrid'?)``

    Args:
        name: What the value is of: an option, an argument.
        value: The value, which is none of the allowed ones.
        allowed: The values that it may have.
    """
    names = list(map(str, allowed))
    return f"{name} must be one of {', '.join(names)}, got {value!r}{did_you_mean(str(value), names)}"
