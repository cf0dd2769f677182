"""Rows of tables as documents: title, text and id by the names of their columns."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from selfsent.data.bad_rows import BadRows
from selfsent.data.columns import NOT_TEXTS, Picks, layout_of, ragged
from selfsent.data.formats import BadRecord, NumberedRecords, Record
from selfsent.documents.blocks import without_noncharacters
from selfsent.documents.document import Document, Kept

ID_COLUMNS = ("_id", "id", "url")
"""The names of a row's id, the one that counts first."""

_NAME = re.compile(r"[^\W\d][\w.-]{0,29}")

Key = str | int


@dataclass(frozen=True, kw_only=True)
class Fields:
    """Where a table has its documents' texts, title and id.

    Args:
        texts: Names or 0-based positions; the values are joined by a blank line.
        title: Position of the title, where there is one.
        id: Position of the id, where there is one.
        num_cells: How many cells a row has, where they count by position.
        has_header: The first record holds names.
        ignored: Names of the columns that are not read.
        kept: Columns that are kept, where the table has them: name to name or position.
    """

    texts: tuple[Key, ...]
    title: Key | None = None
    id: Key | None = None
    num_cells: int | None = None
    has_header: bool = False
    ignored: tuple[str, ...] = ()
    kept: Mapping[str, Key] = field(default_factory=dict[str, Key])


def fields_of(
    first: Record, picks: Picks, place: str, second: Record | None = None, *, keep: Sequence[str] = ()
) -> Fields:
    """Decide what the columns of a table are, from its first record.

    Cells are a header where one of them is ``text`` or ``title``, or is picked by name, or where all of them look like
    names and those of the second record do not.

    Args:
        first: Names to values, or cells.
        picks: Columns of text by name or 1-based number; default: ``text``, else those that training would read.
        place: Where the record stands, for the error text.
        second: The record behind it, where there is one.
        keep: Names of columns that are kept where the table has them.

    Raises:
        UserError: A picked column is not there, or no column is known to hold a text.
    """
    if isinstance(first, Mapping):
        return _named(list(first), first, picks, place, keep)
    cells = [str(cell).strip() for cell in first]
    if not _is_header(cells, (*(picks or ()), *keep), second):
        layout = layout_of(first, picks, place)
        texts = tuple(key for name, key in layout.keys.items() if name not in NOT_TEXTS)
        return Fields(texts=texts, num_cells=len(cells), has_header=layout.has_header, ignored=layout.ignored)
    named = _named(cells, dict.fromkeys(cells, ""), picks, place, keep)
    return Fields(
        texts=tuple(cells.index(str(name)) for name in named.texts),
        title=None if named.title is None else cells.index(str(named.title)),
        id=None if named.id is None else cells.index(str(named.id)),
        num_cells=len(cells),
        has_header=True,
        ignored=named.ignored,
        kept={name: cells.index(name) for name in named.kept},
    )


def _is_header(cells: list[str], picks: Sequence[Key], second: Record | None) -> bool:
    if len(set(cells)) < len(cells):
        return False
    if {"text", "title", *map(str, picks)}.intersection(cells):
        return True
    return len(cells) > 1 and second is not None and _look_like_names(cells) and not _look_like_names(second)


def _look_like_names(cells: Record) -> bool:
    return all(_NAME.fullmatch(str(cell).strip()) for cell in cells)


def _named(names: list[str], first: Mapping[str, Any], picks: Picks, place: str, keep: Sequence[str]) -> Fields:
    title = "title" if "title" in names else None
    id_ = next((name for name in ID_COLUMNS if name in names), None)
    if picks is None and "text" in names:
        texts: tuple[str, ...] = ("text",)
    elif picks is None and title is not None and set(names) <= {"title", *ID_COLUMNS}:
        texts = ()
    else:
        layout = layout_of(first, picks, place)
        texts = tuple(str(key) for name, key in layout.keys.items() if name not in NOT_TEXTS and key != title)
    ignored = tuple(name for name in names if name not in {*texts, title, id_, *keep})
    kept: dict[str, Key] = {name: name for name in keep if name in names}
    return Fields(texts=texts, title=title, id=id_, ignored=ignored, kept=kept)


def read_rows(
    records: Callable[[], NumberedRecords], fields: Fields, file: str, bad_rows: BadRows
) -> Iterator[Document]:
    """Read the rows of a table, one at a time; those without title and text are left out.

    Args:
        records: Begins a pass over the table.
        fields: Where its documents stand.
        file: What its documents call it.
        bad_rows: Told of rows that cannot be used.
    """
    header = fields.has_header
    for line, record in records():
        if header and not isinstance(record, BadRecord):
            header = False
            continue
        document = record if isinstance(record, BadRecord) else _document(record, fields, file, line)
        if isinstance(document, BadRecord):
            bad_rows.report(f"{file}, line {line}", document.reason)
        elif document.text or document.title:
            yield document


def _document(record: Record, fields: Fields, file: str, line: int) -> Document | BadRecord:
    if fields.num_cells is not None and len(record) != fields.num_cells:
        return ragged(record, fields.num_cells)
    keys = (*fields.texts, *(() if fields.title is None else (fields.title,)))
    if isinstance(record, Mapping) and (missing := [key for key in keys if key not in record and key != fields.title]):
        return BadRecord(f"has no column {missing[0]}; its columns are {', '.join(record)}")
    values = {key: _value(record, key) for key in keys}
    for key, value in values.items():
        if not isinstance(value, str):
            name = key + 1 if isinstance(key, int) else key
            return BadRecord(f"column {name} holds {type(value).__name__}, not a text")
    id_ = None if fields.id is None else _value(record, fields.id)
    texts = (str(values[key]).strip() for key in fields.texts)
    return Document(
        id=f"{file}:{line}" if id_ is None or not str(id_).strip() else str(id_).strip(),
        title="" if fields.title is None else " ".join(str(values[fields.title]).split()),
        text="\n\n".join(text for text in texts if text),
        file=file,
        line=line,
        kept=tuple((name, _kept(_value(record, key))) for name, key in fields.kept.items()),
    )


def _kept(value: Any) -> Kept:
    return value if isinstance(value, str | int | float | bool) else str(value)


def _value(record: Record, key: Key) -> Any:
    """Give the value of a cell; one that is missing or null is empty."""
    value = record.get(str(key)) if isinstance(record, Mapping) else record[int(key)]
    if isinstance(value, str):
        return without_noncharacters(value)
    return "" if value is None else value


def first_records(records: NumberedRecords, file: str, bad_rows: BadRows) -> list[tuple[int, Record]]:
    """Give the first two records that can be read at all, and their lines; fewer where there are no more."""
    found: list[tuple[int, Record]] = []
    for line, record in records:
        if isinstance(record, BadRecord):
            bad_rows.report(f"{file}, line {line}", record.reason)
        else:
            found.append((line, record))
        if len(found) > 1:
            break
    return found
