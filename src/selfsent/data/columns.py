"""The meaning of the columns of a source: by name where names are known, else by position."""

import re
import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from selfsent.data.cells import label_of, score_of, shown, text_of
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
"""The named sets, the most specific first: with ``premise`` there, a further ``source`` is only a note."""

NOT_TEXTS = ("label", "score")
KNOWN_COLUMNS = frozenset(name for names in COLUMN_SETS for name in names)

_FIELD_NAMES = {
    "anchor": ("sent0", "query", "question"),  # the first of each are those of SimCSE's files
    "positive": ("sent1", "pos", "answer"),
    "negative": ("hard_neg", "neg"),
    "sentence1": ("s1", "text_a", "sentence_a", "sentence_A"),
    "sentence2": ("s2", "text_b", "sentence_b", "sentence_B"),
}
SYNONYMS = {name: column for column, names in _FIELD_NAMES.items() for name in names}
"""Other usual names of our columns; a column with our own name is preferred to one with a synonym."""

NAMES_OF_ROWS = frozenset({"title", "_id", "id", "url"})
"""Columns that a header may have beside a known set, and that hold no text to learn from."""

_PANDAS_INDEX = ("", "Unnamed: 0")
"""What the first column is called where pandas wrote a table with its row numbers."""

_PANDAS_COLUMNS = frozenset({*_PANDAS_INDEX, "__index_level_0__"})
"""Columns that pandas made, which no note mentions."""

_POSITIONAL = {1: ("text",), 2: ("anchor", "positive"), 3: ("anchor", "positive", "negative")}
_IDENTIFIER = re.compile(r"[^\W\d][\w.-]{0,29}")
_ROW_NUMBER = re.compile(r"[\w.:/-]*\d[\w.:/-]*")
_MOST_DIGITS = 9
_NUM_LISTED = 20


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
    named = names[1:] if len(names) > 1 and names[0] in _PANDAS_INDEX else names
    is_known = all(
        name in KNOWN_COLUMNS or name in SYNONYMS or name in NAMES_OF_ROWS or is_language_code(name) for name in named
    )
    return is_known and len(set(names)) == len(names) and _known_set(names) is not None


def looks_like_names(record: Record) -> bool:
    """Tell whether all cells are short identifiers, as in a header whose names are not known."""
    return all(_IDENTIFIER.fullmatch(str(cell).strip()) for cell in record)


def layout_of(
    first: Record, picks: Picks, place: str, *, header: bool | None = None, second: Record | None = None
) -> Layout:
    """Decide what the columns mean, from the first record and the user's pick.

    Args:
        first: The first record: names to values, or cells (perhaps a header).
        picks: Columns by name or 1-based number, in the order wanted; ``None`` takes what the names or positions say.
        place: Where the record stands, for the error text.
        header: Whether cells in the first record are names; ``None`` decides by their content.
        second: The record behind it, which tells a column of numbers ``id`` from one in Indonesian.

    Returns:
        The layout that reads every record of the file.

    Raises:
        UserError: A picked column is not there, or the names are not a known set.
    """
    if isinstance(first, Mapping):
        not_languages = {name for name, value in first.items() if not may_be_text(name, value)}
        return _named_layout(list(first), picks, place, not_languages)
    cells = [cell.strip() for cell in first]
    if header is None:
        header = is_header(cells) or any(_is_name(pick, cells) for pick in picks or ())
    if not header:
        return _positional_layout(len(cells), picks, place)
    values = dict(zip(cells, second if second is not None and not isinstance(second, Mapping) else (), strict=False))
    not_languages = {name for name, value in values.items() if not may_be_text(name, value)}
    if picks is None and _known_set(cells, not_languages) is None:
        return replace(_positional_layout(len(cells), None, place), has_header=True)
    named = _named_layout(cells, picks, place, not_languages)
    positions = {column: cells.index(str(key)) for column, key in named.keys.items()}
    return Layout(keys=positions, num_cells=len(cells), has_header=True, ignored=named.ignored)


def may_be_text(name: str, value: object) -> bool:
    """Whether a column called like a language holds its texts: not where ``id`` is followed by a number of a row."""
    return isinstance(value, str) and not (name == "id" and _ROW_NUMBER.fullmatch(value.strip()))


def _is_name(pick: str | int, cells: Sequence[str]) -> bool:
    """Whether a pick is a name in the first row, and not a number that counts columns."""
    return str(pick) in cells and not 1 <= _number(pick) <= len(cells)


def _named_layout(names: list[str], picks: Picks, place: str, not_languages: Collection[str]) -> Layout:
    if picks is None:
        keys = _known_set(names, not_languages)
        if keys is None:
            sets = "; ".join(",".join(columns) for columns in COLUMN_SETS)
            raise UserError(
                f"{place}: the columns are {listed(names)}, none of the known sets ({sets}; language codes); "
                "pick columns by name or number, for example `--columns 1,2`"
            )
    else:
        picked = [_picked_name(pick, names, place) for pick in picks]
        known = _known_set(picked, not_languages) or {}
        columns = _in_order(known, picked) if len(known) == len(picked) else _positional_names(len(picked))
        keys = dict(zip(columns, picked, strict=True))
    used = set(keys.values())
    ignored = tuple(name for name in names if name not in used and name not in _PANDAS_COLUMNS)
    return Layout(keys=keys, num_cells=None, has_header=False, ignored=ignored)


def _in_order(known: Mapping[str, str], picked: Sequence[str]) -> tuple[str, ...]:
    """The canonical names of picked columns, in the order of the pick."""
    canonical = {name: column for column, name in known.items()}
    return tuple(canonical[name] for name in picked)


def _positional_layout(num_cells: int, picks: Picks, place: str) -> Layout:
    names = list(_positional_names(num_cells))
    place_of = {name: position for position, name in enumerate(names)}
    positions = [place_of[_picked_name(pick, names, place)] for pick in picks] if picks else list(range(num_cells))
    used = set(positions)
    ignored = tuple(str(position + 1) for position in range(num_cells) if position not in used)
    keys = dict(zip(_positional_names(len(positions)), positions, strict=True))
    return Layout(keys=keys, num_cells=num_cells, has_header=False, ignored=ignored)


def _known_set(names: Sequence[str], not_languages: Collection[str] = ()) -> dict[str, str] | None:
    """Canonical names, and what they are called here: by our names, else as languages, else by names of the field."""
    ours = {name: name for name in names if name in KNOWN_COLUMNS}
    languages = {name: name for name in names if is_language_code(name) and name not in not_languages}
    theirs = {SYNONYMS[name]: name for name in names if name in SYNONYMS} | ours
    for held in (ours, theirs):
        for columns in COLUMN_SETS:
            if set(columns) <= held.keys():
                return {column: held[column] for column in columns}
        if len(languages) > 1:
            return languages
    return None


def _positional_names(num_columns: int) -> tuple[str, ...]:
    return _POSITIONAL.get(num_columns, tuple(f"text_{number}" for number in range(1, num_columns + 1)))


def _picked_name(pick: str | int, names: list[str], place: str) -> str:
    if str(pick) in names:
        return str(pick)
    if 1 <= _number(pick) <= len(names):
        return names[_number(pick) - 1]
    raise UserError(f"{place}: there is no column {shown(str(pick))}; the columns are {listed(names)}")


def _number(pick: str | int) -> int:
    """The number a pick may be; -1 for a name, and for more digits than a number of a column has."""
    digits = pick if isinstance(pick, str) else str(pick) if 0 <= pick < 10**_MOST_DIGITS else ""
    return int(digits) if digits.isdecimal() and len(digits) <= _MOST_DIGITS else -1


def listed(names: Iterable[str]) -> str:
    """Name columns, the first twenty and each shortened, for a message."""
    names = list(names)
    more = f" and {len(names) - _NUM_LISTED:,} more" if len(names) > _NUM_LISTED else ""
    return (
        ", ".join(textwrap.shorten(shown(name), 40) or "''" for name in islice(names, _NUM_LISTED)) or "none"
    ) + more


def row_of(record: Record, layout: Layout) -> Row | BadRecord | None:
    """Read one record as a row.

    Args:
        record: What a reader gave.
        layout: What the columns of its file mean.

    Returns:
        The row; what is wrong with the record; or ``None`` for a blank record, all of whose texts are empty.
    """
    if layout.num_cells is not None and len(record) != layout.num_cells:
        return ragged(record, layout.num_cells)
    row: Row = {}
    for column, key in layout.keys.items():
        try:
            value: Any = record[key]  # pyright: ignore[reportArgumentType, reportCallIssue] a layout fits its own records
        except KeyError:
            return BadRecord(f"has no column {key}; its columns are {listed(record)}")
        converted = _CONVERTERS.get(column, text_of)(value)
        if isinstance(converted, BadRecord):
            return BadRecord(f"column {key + 1 if isinstance(key, int) else key} {converted.reason}")
        row[column] = converted
    return _without_gaps(row)


def lines_of(cells: Record) -> int:
    """How many lines of a file a record of cells takes."""
    return 1 + sum(str(cell).count("\n") for cell in cells)


def ragged(cells: Record, num_cells: int) -> BadRecord:
    """Say that a record has more or fewer cells than the first row, and how many lines of the file it takes."""
    num_lines = lines_of(cells)
    columns = "1 column" if len(cells) == 1 else f"{len(cells)} columns"
    spans = f"; it spans {num_lines:,} lines: is a quote in it never closed?" if num_lines > 1 else ""
    return BadRecord(f"has {columns} where the first row has {num_cells}{spans}", num_lines)


def _without_gaps(row: Row) -> Row | BadRecord | None:
    empty = [column for column, value in row.items() if value == ""]
    if not empty:
        return row
    if len(empty) == sum(column not in NOT_TEXTS for column in row):
        return None
    return BadRecord(f"column {empty[0]} is empty")


_CONVERTERS = {"label": label_of, "score": score_of}
