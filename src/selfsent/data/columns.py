"""What the columns of a source mean: by their names where they have known ones, by their position otherwise."""

import math
import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from selfsent.data.formats import BadRecord, Record
from selfsent.data.languages import is_language_code
from selfsent.errors import UserError

Row = dict[str, str | int | float]
"""A row as everything else takes it: canonical column names, stripped texts, then where it came from."""

Picks = Sequence[str | int] | None
"""Columns picked by name or 1-based number, in the order wanted."""

COLUMN_SETS = (
    ("anchor", "positive", "negative"),
    ("anchor", "positive"),
    ("premise", "hypothesis", "label"),
    ("premise", "hypothesis"),
    ("sentence1", "sentence2", "score"),
    ("sentence1", "sentence2"),
    ("source", "target"),
    ("text",),
)
"""The named sets, the one that says most first: with ``premise`` there, a further ``source`` is only a note."""

NOT_TEXTS = ("label", "score")
KNOWN_COLUMNS = frozenset(name for names in COLUMN_SETS for name in names)

_POSITIONAL = {1: ("text",), 2: ("anchor", "positive"), 3: ("anchor", "positive", "negative")}


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where each canonical column stands in a record.

    Args:
        keys: Canonical name to the name, or the 0-based position, in a record.
        num_cells: How many cells every record has where they count by position; ``None`` where they have names.
        has_header: The first record holds names, not texts.
        ignored: Names of the columns that are not read.
    """

    keys: Mapping[str, str | int]
    num_cells: int | None
    has_header: bool
    ignored: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The canonical names, in order."""
        return tuple(self.keys)


def is_header(cells: Sequence[str]) -> bool:
    """Tell whether a first row names columns: every cell is a known name or a language code, and no two are equal."""
    names = [cell.strip() for cell in cells]
    known = all(name in KNOWN_COLUMNS or is_language_code(name) for name in names)
    return known and len(set(names)) == len(names) and _known_set(names) is not None


def layout_of(first: Record, picks: Picks, place: str) -> Layout:
    """Settle what the columns mean, from the first record and the user's pick.

    Args:
        first: The first record: names to values, or cells (perhaps a header).
        picks: Columns by name or 1-based number, in the order wanted; ``None`` takes what the names or positions say.
        place: Where the record stands, for the error text.

    Returns:
        The layout that reads every record of the file.

    Raises:
        UserError: A picked column is not there, or the names make no set we know.
    """
    if isinstance(first, Mapping):
        not_languages = {name for name, value in first.items() if not isinstance(value, str)}
        return _named_layout(list(first), picks, place, not_languages)
    cells = [cell.strip() for cell in first]
    if is_header(cells) or any(str(pick) in cells for pick in picks or ()):
        named = _named_layout(cells, picks, place, set())
        positions = {column: cells.index(str(key)) for column, key in named.keys.items()}
        return Layout(keys=positions, num_cells=len(cells), has_header=True, ignored=named.ignored)
    return _positional_layout(len(cells), picks, place)


def _named_layout(names: list[str], picks: Picks, place: str, not_languages: set[str]) -> Layout:
    if picks is None:
        columns = _known_set(names, not_languages)
        if columns is None:
            sets = "; ".join(",".join(columns) for columns in COLUMN_SETS)
            raise UserError(
                f"{place}: the columns are {_listed(names)}, none of the known sets ({sets}; language codes); "
                "pick columns by name or number, for example `--columns 1,2`"
            )
        picked = list(columns)
    else:
        picked = [_picked_name(pick, names, place) for pick in picks]
        known = _known_set(picked, not_languages) or ()
        columns = tuple(picked) if sorted(known) == sorted(picked) else _positional_names(len(picked))
    ignored = tuple(name for name in names if name not in picked)
    return Layout(keys=dict(zip(columns, picked, strict=True)), num_cells=None, has_header=False, ignored=ignored)


def _positional_layout(num_cells: int, picks: Picks, place: str) -> Layout:
    names = list(_positional_names(num_cells))
    positions = [names.index(_picked_name(pick, names, place)) for pick in (picks or names)]
    ignored = tuple(str(position + 1) for position in range(num_cells) if position not in positions)
    keys = dict(zip(_positional_names(len(positions)), positions, strict=True))
    return Layout(keys=keys, num_cells=num_cells, has_header=False, ignored=ignored)


def _known_set(names: Sequence[str], not_languages: Collection[str] = ()) -> tuple[str, ...] | None:
    for columns in COLUMN_SETS:
        if set(columns) <= set(names):
            return columns
    languages = tuple(name for name in names if is_language_code(name) and name not in not_languages)
    return languages if len(languages) > 1 else None


def _positional_names(num_columns: int) -> tuple[str, ...]:
    return _POSITIONAL.get(num_columns, tuple(f"text_{number}" for number in range(1, num_columns + 1)))


def _picked_name(pick: str | int, names: list[str], place: str) -> str:
    if str(pick) in names:
        return str(pick)
    if str(pick).isdecimal() and 1 <= int(pick) <= len(names):
        return names[int(pick) - 1]
    raise UserError(f"{place}: there is no column {pick}; the columns are {_listed(names)}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(textwrap.shorten(name, 40) for name in names) or "none"


def row_of(record: Record, layout: Layout) -> Row | BadRecord | None:
    """Read one record as a row.

    Args:
        record: What a reader gave.
        layout: What the columns of its file mean.

    Returns:
        The row; what is wrong with the record; or ``None`` for a blank record, all of whose texts are empty.
    """
    if layout.num_cells is not None and len(record) != layout.num_cells:
        return BadRecord(f"has {len(record)} columns where the first row has {layout.num_cells}")
    row: Row = {}
    for column, key in layout.keys.items():
        try:
            value: Any = record[key]  # pyright: ignore[reportArgumentType, reportCallIssue] a layout fits its own records
        except KeyError:
            return BadRecord(f"has no column {key}; its columns are {_listed(list(record))}")
        converted = _CONVERTERS.get(column, _text)(value)
        if isinstance(converted, BadRecord):
            return BadRecord(f"column {key + 1 if isinstance(key, int) else key} {converted.reason}")
        row[column] = converted
    return _without_gaps(row)


def _without_gaps(row: Row) -> Row | BadRecord | None:
    empty = [column for column, value in row.items() if value == ""]
    if not empty:
        return row
    if len(empty) == sum(column not in NOT_TEXTS for column in row):
        return None
    return BadRecord(f"column {empty[0]} is empty")


def _text(value: object) -> str | BadRecord:
    if not isinstance(value, str):
        what = "is null" if value is None else f"holds {type(value).__name__}"
        return BadRecord(f"{what}, not a text")
    text = value.strip()
    if not text.isascii():
        try:
            text.encode("utf8")
        except UnicodeEncodeError:
            return BadRecord("holds half of a surrogate pair, which is no character")
    return text


def _label(value: object) -> str | int | BadRecord:
    if isinstance(value, str) and value.strip():
        label = value.strip()
        return int(label) if label.removeprefix("-").isdecimal() else label
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    return BadRecord(f"holds {value!r}, not a label (a name or an integer)")


def _score(value: object) -> float | BadRecord:
    try:
        score = float(value) if isinstance(value, (str, int, float)) else math.nan
    except ValueError:
        score = math.nan
    return score if math.isfinite(score) else BadRecord(f"holds {value!r}, not a score (a finite number)")


_CONVERTERS = {"label": _label, "score": _score}
