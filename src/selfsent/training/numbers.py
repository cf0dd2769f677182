"""Checks of numbers in settings: NaN and numbers too large for the libraries are refused."""

import math
from typing import Any

WHOLE_RANGE = "of at most 18 digits"
SEED_RANGE = "between 0 and 4,294,967,295"

_LARGEST_WHOLE = 10**18 - 1
_LARGEST_SEED = 2**32 - 1
_LARGEST_FLOAT = 1e300
_SHOWN_DIGITS = 40
_SHOWN_CHARACTERS = 80


def is_number(value: Any) -> bool:
    """Whether a value is a number that a float can hold; infinity is one, NaN is not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return not math.isnan(value) if isinstance(value, float) else abs(value) < _LARGEST_FLOAT


def is_whole_number(value: Any) -> bool:
    """Whether a value is a whole number that 64 bits hold, be it written as a float (``1e4``)."""
    return is_number(value) and abs(value) <= _LARGEST_WHOLE and float(value).is_integer()


def is_seed(value: Any) -> bool:
    """Whether a value is a whole number that every random generator takes."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_SEED


def shortened(value: Any) -> str:
    """Write a value for an error text, a long number or text shortened."""
    if isinstance(value, int) and abs(value) >= 10**_SHOWN_DIGITS:  # thousands of digits cannot be written at all
        return f"a number of over {_SHOWN_DIGITS} digits"
    if isinstance(value, str) and len(value) > _SHOWN_CHARACTERS:
        return repr(value[:_SHOWN_CHARACTERS] + "…")
    return repr(value)
