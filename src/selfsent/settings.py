"""A person's settings: ``key=value`` strings and recipe tables turned into checked configurations and numbers."""

import difflib
import json
import math
from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from selfsent.errors import UserError

Config = TypeVar("Config")

WHOLE_RANGE = "of at most 18 digits"
SEED_RANGE = "between 0 and 4,294,967,295"

_LARGEST_WHOLE = 10**18 - 1
_LARGEST_SEED = 2**32 - 1
_LARGEST_FLOAT = 1e300
_SHOWN_DIGITS = 40
_SHOWN_CHARACTERS = 80
_TRAINING_PREFIX = "training."


def parse_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """Read ``--set key=value`` options; a value is JSON where it reads as JSON, else a string.

    Raises:
        UserError: An assignment has no ``=`` or no key, or a key comes twice.
    """
    settings: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        key = key.strip()
        if not equals or not key:
            raise UserError(f"--set {assignment!r} is not of the form key=value, such as temperature=0.05")
        if key in settings:
            raise UserError(f"--set gives {key} twice; leave one out")
        settings[key] = _value(value.strip())
    return settings


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # also a number of thousands of digits, or brackets without an end
        return text


def split_settings(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part a method's own options from the host's training arguments (``training.KEY``)."""
    is_training = {key: key.startswith(_TRAINING_PREFIX) for key in settings}
    options = {key: value for key, value in settings.items() if not is_training[key]}
    training = {key.removeprefix(_TRAINING_PREFIX): value for key, value in settings.items() if is_training[key]}
    return options, training


def configure(config_type: type[Config], options: Mapping[str, Any], *, method: str) -> Config:
    """Build a method's configuration from options; all problems are reported together.

    Args:
        config_type: A frozen dataclass; its field types say what a value may be.
        options: Values by field name; fields left out keep their defaults.
        method: What to call it in error texts.

    Raises:
        UserError: An option is unknown (the nearest known ones are named), or a value is not of its type.
    """
    hints = get_type_hints(config_type)
    problems: list[str] = []
    values: dict[str, Any] = {}
    for name, value in options.items():
        if name not in hints:
            problems.append(_unknown(name, list(hints), method))
            continue
        try:
            values[name] = _coerced(value, hints[name])
        except ValueError as error:
            problems.append(f"{name}={shortened(value)} is not {error}")
    if problems:
        raise UserError("; ".join(problems))
    return config_type(**values)


def _unknown(name: str, known: list[str], method: str) -> str:
    near = difflib.get_close_matches(name, known, n=3)
    hint = f"did you mean {', '.join(near)}?" if near else f"it has {', '.join(known)}"
    return f"{method} has no option {name}; {hint} (arguments of the trainer are set as training.KEY=VALUE)"


def _coerced(value: Any, hint: Any) -> Any:
    """Give ``value`` the annotated type, or raise ``ValueError`` saying what is needed."""
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise ValueError(f"one of {', '.join(map(str, get_args(hint)))}")
        return value
    if get_origin(hint) in {Union, UnionType}:
        if value is None or value == "none":
            return None
        return _coerced(value, next(part for part in get_args(hint) if part is not NoneType))
    accepted = {
        float: is_number(value),
        int: is_whole_number(value),
        bool: isinstance(value, bool),
        str: isinstance(value, str | int | float),
    }
    if not accepted[hint]:
        needed = {float: "a number", int: f"a whole number {WHOLE_RANGE}", bool: "true or false", str: "a text"}
        raise ValueError(needed[hint])
    return hint(value)


def is_number(value: Any) -> bool:
    """Whether a value is a number that a float can hold; infinity is one, NaN is none."""
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
    """Write a value for an error text, without what is too long of a number or a text."""
    if isinstance(value, int) and abs(value) >= 10**_SHOWN_DIGITS:  # thousands of digits cannot be written at all
        return f"a number of over {_SHOWN_DIGITS} digits"
    if isinstance(value, str) and len(value) > _SHOWN_CHARACTERS:
        return repr(value[:_SHOWN_CHARACTERS] + "…")
    return repr(value)
