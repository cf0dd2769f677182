"""Options declared once: a frozen dataclass holds the type, default, bounds and description, and checks values."""

import difflib
import functools
import inspect
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from types import NoneType, UnionType
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from selfsent.errors import UserError, did_you_mean

_P = ParamSpec("_P")
_Self = TypeVar("_Self")
_First = TypeVar("_First")
_Value = TypeVar("_Value")
_Options = TypeVar("_Options", bound="Options")
_Config = TypeVar("_Config")

PRESET = "preset"
"""The setting of a method that names where its defaults are from, beside its own options."""

WHOLE_RANGE = "of at most 18 digits"
SEED_RANGE = "between 0 and 4,294,967,295"

_LARGEST_WHOLE = 10**18 - 1
_LARGEST_SEED = 2**32 - 1
_LARGEST_FLOAT = 1e300
_SHOWN_DIGITS = 40
_SHOWN_CHARACTERS = 80
_WHOLE_NUMBERS = re.compile(r"\s*[0-9]{1,4}\s*(,\s*[0-9]{1,4}\s*)*")

_BOUNDS = "bounds"
_CHOICES = "choices"
_JOINED = "joined"
_ARGUMENT = re.compile(r"^    (\w+): (.*)$")


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The numbers that an option may have.

    Args:
        at_least: The smallest allowed number.
        at_most: The largest allowed number.
        above: A number that every allowed number exceeds.
        below: A number that every allowed number stays below.
    """

    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None

    def __contains__(self, number: float) -> bool:
        """Tell whether a number is allowed; NaN and infinity never are."""
        return (
            math.isfinite(number)
            and (self.at_least is None or number >= self.at_least)
            and (self.at_most is None or number <= self.at_most)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
        )

    def __str__(self) -> str:
        parts = (
            f"{self.at_least:g} or more" if self.at_least is not None else "",
            f"{self.at_most:g} or less" if self.at_most is not None else "",
            f"above {self.above:g}" if self.above is not None else "",
            f"below {self.below:g}" if self.below is not None else "",
        )
        return " and ".join(filter(None, parts)) or "a finite number"


def option(
    default: _Value,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> _Value:
    """Declare an option of a dataclass with the numbers that it may have.

    Args:
        default: Default value.
        at_least: The smallest allowed number.
        at_most: The largest allowed number.
        above: A number that every allowed number exceeds.
        below: A number that every allowed number stays below.
    """
    bounds = Bounds(at_least=at_least, at_most=at_most, above=above, below=below)
    declared: Any = field(default=default, metadata={_BOUNDS: bounds})
    return declared


def choice(default: str, *choices: str, joined: Iterable[str] = ()) -> str:
    """Declare an option of a dataclass whose choices stand in a table, so that its type cannot name them.

    Args:
        default: Default value.
        choices: Allowed values.
        joined: Those of them that may also stand together, with ``+`` between them.
    """
    declared: Any = field(default=default, metadata={_CHOICES: choices, _JOINED: tuple(joined)})
    return declared


def required(*, at_least: float) -> Any:
    """Declare an option that has no default.

    Args:
        at_least: The smallest allowed number.
    """
    return field(metadata={_BOUNDS: Bounds(at_least=at_least)})


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of a method, a module or a loss, checked when they are made.

    A subclass declares a field for each option and describes it in the ``Args`` of its docstring.

    Raises:
        UserError: An option is not one of its choices or is out of its bounds. All such options are named together.
    """

    def __post_init__(self) -> None:
        """Check every option."""
        problems = self.problems()
        if problems:
            raise UserError("; ".join(problems))

    def problems(self) -> list[str]:
        """Name the options that have a value they may not have."""
        return [
            problem
            for described in describe(type(self))
            if (problem := described.problem(getattr(self, described.name)))
        ]

    def part(self, kind: type[_Options]) -> _Options:
        """Give the options that another class declares too.

        Args:
            kind: A class all of whose options are options here.
        """
        return kind(**{one.name: getattr(self, one.name) for one in fields(kind)})


@dataclass(frozen=True, kw_only=True)
class Described:
    """One option as people read it.

    Args:
        name: Name of the field.
        kind: Annotated type.
        default: Default value; ``dataclasses.MISSING`` where one must be given.
        bounds: Allowed numbers, if the option is a number with bounds.
        choices: Allowed values, where they can be listed.
        joined: Those of them that may also stand together, with ``+`` between them.
        text: Description, from the docstring.
    """

    name: str
    kind: Any
    default: Any
    bounds: Bounds | None
    choices: tuple[Any, ...]
    joined: tuple[str, ...] = ()
    text: str

    @property
    def is_optional(self) -> bool:
        """Whether ``None`` is allowed."""
        return NoneType in get_args(self.kind)

    def problem(self, value: Any) -> str:
        """Say what is wrong with a value; empty where nothing is."""
        if value is None and self.is_optional:
            return ""
        if self.choices and value not in self.choices and not self._is_joined(value):
            several = ", or several with + between them" if self.joined else ""
            return f"{self.name}={value!r} must be one of {', '.join(map(str, self.choices))}{several}"
        if self.bounds is not None and not (isinstance(value, int | float) and value in self.bounds):
            none = ", or none" if self.is_optional else ""
            return f"{self.name}={value!r} must be {self.bounds}{none}"
        return ""

    def _is_joined(self, value: Any) -> bool:
        return bool(self.joined) and isinstance(value, str) and all(one in self.joined for one in value.split("+"))


@functools.cache
def describe(kind: type[Any]) -> tuple[Described, ...]:
    """Describe every option of a dataclass, in the order of its fields."""
    hints = get_type_hints(kind)
    texts = _texts(kind)
    return tuple(
        Described(
            name=one.name,
            kind=hints[one.name],
            default=one.default,
            bounds=one.metadata.get(_BOUNDS),
            choices=one.metadata.get(_CHOICES) or _literal_values(hints[one.name]),
            joined=one.metadata.get(_JOINED, ()),
            text=texts.get(one.name, ""),
        )
        for one in fields(kind)
    )


def names_of(kind: type[Any]) -> list[str]:
    """The names of all options of a dataclass, such as the keys of a module's ``config.json``."""
    return [one.name for one in fields(kind)]


def takes_only(
    kind: Callable[_P, _Options],
) -> Callable[[Callable[[_Self, _Options], None]], Callable[Concatenate[_Self, _P], None]]:
    """As `takes`, for a constructor of options alone."""

    def decorate(init: Callable[[_Self, _Options], None]) -> Callable[Concatenate[_Self, _P], None]:
        return _with_keywords(init, kind)

    return decorate


def takes(
    kind: Callable[_P, _Options],
) -> Callable[[Callable[[_Self, _First, _Options], None]], Callable[Concatenate[_Self, _First, _P], None]]:
    """Let a constructor of one argument and options take each option as a keyword.

    The keywords, their types and their defaults are those of the dataclass, for editors and type checkers too.

    Args:
        kind: The dataclass of the options.
    """

    def decorate(
        init: Callable[[_Self, _First, _Options], None],
    ) -> Callable[Concatenate[_Self, _First, _P], None]:
        return _with_keywords(init, kind)

    return decorate


def takes_two(
    kind: Callable[_P, _Options],
) -> Callable[
    [Callable[[_Self, _First, _Value, _Options], None]], Callable[Concatenate[_Self, _First, _Value, _P], None]
]:
    """As `takes`, for a constructor of two arguments and options."""

    def decorate(
        init: Callable[[_Self, _First, _Value, _Options], None],
    ) -> Callable[Concatenate[_Self, _First, _Value, _P], None]:
        return _with_keywords(init, kind)

    return decorate


def _with_keywords(init: Any, kind: Any) -> Any:
    """Wrap a constructor: keywords that it does not name become its last argument, the options."""
    *own, last = inspect.signature(init).parameters.values()
    names = [parameter.name for parameter in own]
    known = names_of(kind)

    @functools.wraps(init)
    def wrapped(self: Any, *arguments: Any, **keywords: Any) -> None:
        given = {name: value for name, value in keywords.items() if name not in names}
        unknown = [name for name in given if name not in known]
        if unknown:
            raise UserError(unknown_option(unknown[0], known, owner=type(self).__name__))
        rest = {name: value for name, value in keywords.items() if name in names}
        init(self, *arguments, **rest, **{last.name: kind(**given)})

    signature = inspect.signature(kind)
    wrapped.__signature__ = signature.replace(  # pyright: ignore[reportAttributeAccessIssue] read by `inspect`
        parameters=[*own, *signature.parameters.values()], return_annotation=None
    )
    return wrapped


def unknown_option(name: str, known: list[str], *, owner: str) -> str:
    """Say that there is no such option, and which may have been meant."""
    return f"{owner} has no option {name!r}{did_you_mean(name, known) or '; it has ' + ', '.join(known)}"


def _literal_values(kind: Any) -> tuple[Any, ...]:
    inner = _without_none(kind)
    return get_args(inner) if get_origin(inner) is Literal else ()


def _without_none(kind: Any) -> Any:
    """The type that an optional one is made of; any other as it is."""
    if get_origin(kind) in {Union, UnionType}:
        return next(part for part in get_args(kind) if part is not NoneType)
    return kind


def _texts(kind: type[Any]) -> Mapping[str, str]:
    """The descriptions in the ``Args`` of a class and of the classes it extends; those of the class itself win."""
    texts: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        texts |= _described_arguments(inspect.cleandoc(one.__doc__ or ""))
    return texts


def _described_arguments(docstring: str) -> dict[str, str]:
    """Read the section ``Args`` of a docstring."""
    _, _, section = docstring.partition("\nArgs:\n")
    texts: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if not line.startswith("    "):
            break
        found = _ARGUMENT.match(line)
        if found:
            name = found[1]
            texts[name] = found[2]
        elif name:
            texts[name] += " " + line.strip()
    return texts


def configure(config_type: type[_Config], options: Mapping[str, Any], *, method: str) -> _Config:
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
            problems.append(unknown_setting(name, list(hints), method))
            continue
        try:
            values[name] = _coerced(value, hints[name])
        except ValueError as error:
            problems.append(f"{name}={shortened(value)} is not {error}")
    if problems:
        raise UserError("; ".join(problems))
    return config_type(**values)


def unknown_setting(name: str, known: list[str], method: str) -> str:
    """Say that ``--set`` cannot set this, and which options may have been meant."""
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


def whole_numbers(text: str) -> list[int] | None:
    """Read whole numbers of up to four digits with commas between them; ``None`` if the text holds anything else."""
    return [int(number) for number in text.split(",")] if _WHOLE_NUMBERS.fullmatch(text) else None


def shortened(value: Any) -> str:
    """Write a value for an error text, a long number or text shortened."""
    if isinstance(value, int) and abs(value) >= 10**_SHOWN_DIGITS:  # thousands of digits cannot be written at all
        return f"a number of over {_SHOWN_DIGITS} digits"
    if isinstance(value, str) and len(value) > _SHOWN_CHARACTERS:
        return repr(value[:_SHOWN_CHARACTERS] + "…")
    return repr(value)
