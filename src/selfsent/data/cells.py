"""Read the cells of a column: a text, a label, a score; a record with anything else is a bad one."""

import math

from selfsent.data.formats import BadRecord, UnreadableValue

_LABEL_DIGITS = 18  # what 64 bits always hold
_SHOWN_CHARACTERS = 60


def text_of(value: object) -> str | BadRecord:
    """Read a text, without the white space around it."""
    if not isinstance(value, str):
        if isinstance(value, UnreadableValue):
            return BadRecord(f"holds {value!r}")
        return BadRecord("is null, not a text" if value is None else f"holds {type(value).__name__}, not a text")
    text = value.strip()
    if not text.isascii():
        try:
            text.encode("utf8")
        except UnicodeEncodeError:
            return BadRecord("holds half of a surrogate pair, which is not a character")
    return text


def label_of(value: object) -> str | int | BadRecord:
    """Read a label: a name, or an integer, however it is written."""
    label = value.strip() if isinstance(value, str) else value
    if isinstance(label, str):
        digits = label.removeprefix("-")
        if label and not digits.isdecimal():
            return label
        label = int(label) if 0 < len(digits) <= _LABEL_DIGITS else None
    if isinstance(label, int) or (isinstance(label, float) and label.is_integer()):
        number = int(label)
        if abs(number) < 10**_LABEL_DIGITS:
            return number
    return BadRecord(f"holds {brief(value)}, not a label (a name, or an integer of at most {_LABEL_DIGITS} digits)")


def score_of(value: object) -> float | BadRecord:
    """Read a score: a finite number, however it is written."""
    score = finite_number(value)
    return BadRecord(f"holds {brief(value)}, not a score (a finite number)") if score is None else score


def finite_number(value: object) -> float | None:
    """Read a number, or a text that writes one; ``None`` for anything else, NaN and what a float cannot hold."""
    try:
        number = float(value) if isinstance(value, (str, int, float)) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def brief(value: object) -> str:
    """A value as Python writes it, cut to a line; a whole number may have too many digits to be written at all."""
    try:
        return shown(repr(value))
    except ValueError:
        return "a whole number of thousands of digits"


def shown(value: str, limit: int = _SHOWN_CHARACTERS) -> str:
    """A value for a message, cut where it is longer than ``limit`` characters."""
    return value if len(value) <= limit else f"{value[:limit]}... ({len(value):,} characters)"
