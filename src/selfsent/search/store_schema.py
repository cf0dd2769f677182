"""The columns of a store, in their order, and how columns that a store of an earlier version lacks are added."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from selfsent.errors import UserError
from selfsent.search.lance_errors import require

PLACE_COLUMNS = ("start", "end", "file", "line", "page", "package", "qualified_name")
"""Where a text is from; its offsets count the characters of its document."""

VectorType = Literal["float32", "int8"]
"""How vectors are held: as the model gives them, or rounded to 8 bits, a quarter of the size. Cosines need no scale."""

NUMBERS = frozenset({"start", "end", "line", "page"})
OWN_COLUMNS = ("id", "text", "vector", "document", "title", *PLACE_COLUMNS, "words", "sources")
"""``words`` are those that BM25 counts; ``sources`` the keys of the sources that hold the text, commas between them."""

_NULL_COLUMNS = OWN_COLUMNS[3:]
_NEVER_KEPT = frozenset({"id", "vector", "words", "sources", "start", "end", "page"})


def schema_of(dimension: int, metadata: Mapping[str, str], vectors: VectorType = "float32") -> Any:
    """Make the schema of a new store.

    Args:
        dimension: Length of its vectors.
        metadata: What is recorded with the column ``vector``.
        vectors: How vectors are held.
    """
    pa = require("pyarrow")
    kind = pa.int8() if vectors == "int8" else pa.float32()
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("text", pa.string(), nullable=False),
            pa.field("vector", pa.list_(kind, dimension), metadata=dict(metadata)),
            *map(_field, _NULL_COLUMNS),
        ]
    )


def add_missing_columns(table: Any) -> None:
    """Give a store of an earlier version the columns it lacks; they are null."""
    missing = [name for name in _NULL_COLUMNS if name not in table.schema.names]
    if missing:
        table.add_columns([_field(name) for name in missing])


def add_kept_columns(table: Any, keep: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Add the columns that a person keeps and the store does not have yet; their type is that of the first values.

    Args:
        table: The table.
        keep: Their names.
        rows: The first rows that have them.
    """
    pa = require("pyarrow")
    for name in keep:
        if name not in table.schema.names:
            values = [row[name] for row in rows if row.get(name) is not None]
            if values:
                table.add_columns([pa.field(name, _type(values))])


def refuse_kept(keep: Sequence[str]) -> None:
    """Refuse names that a store uses for something else.

    Raises:
        UserError: A name is taken, or has characters other than letters, digits and _.
    """
    for name in keep:
        if name in _NEVER_KEPT or not name.isidentifier():
            why = "is a column of the store itself" if name in _NEVER_KEPT else "has more than letters, digits and _"
            raise UserError(
                f"--keep cannot keep a column {name!r}: the name {why}; rename it in the table (a row's id is kept"
                " as `document` in any case)"
            )


def column_of(field: Any, rows: Sequence[Mapping[str, Any]]) -> Any:
    """Make the values of a column.

    Raises:
        UserError: A value does not fit the column, which only a kept one can have.
    """
    pa = require("pyarrow")
    values = [row.get(field.name) for row in rows]
    if field.name not in OWN_COLUMNS and field.type == pa.string():
        values = [None if value is None else str(value) for value in values]
    try:
        return pa.array(values, field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        bad = next(value for value in values if not _fits(value, field.type))
        raise UserError(
            f"the column {field.name} of the store holds {field.type}, and the source has {bad!r} there; correct the"
            " source, or index into a new store"
        ) from error


def document_names(table: Any) -> set[str]:
    """Give the ids of the documents in an Arrow table of a store; none where texts are rows of their own.

    Args:
        table: With the column ``document``, unless the store is of a version without one.
    """
    column: list[str | None] = table.column("document").to_pylist() if "document" in table.column_names else [None]
    names = {name for name in column if name is not None}
    return set() if None in column else names


def storable(value: Any) -> Any:
    """A place as the store can hold it: what is not UTF-8 in the name of a file becomes a question mark in a box."""
    return value.encode("utf8", "replace").decode() if isinstance(value, str) else value


def _fits(value: Any, kind: Any) -> bool:
    pa = require("pyarrow")
    try:
        pa.array([value], kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return False
    return True


def _field(name: str) -> Any:
    pa = require("pyarrow")
    return pa.field(name, pa.int64() if name in NUMBERS else pa.string())


def _type(values: Sequence[Any]) -> Any:
    pa = require("pyarrow")
    kinds = {type(value) for value in values}
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int}:
        return pa.int64()
    return pa.float64() if kinds <= {int, float} else pa.string()
