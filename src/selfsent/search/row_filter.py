"""Filters of a search, as SQL writes them, applied to columns of a snapshot without LanceDB.

``a = 'x' AND NOT (b < 3 OR c LIKE '%y')``: comparisons of a column with a text, a number or a truth value, ``LIKE``,
``ILIKE``, ``IN``, ``BETWEEN``, ``IS [NOT] NULL``, ``AND``, ``OR``, ``NOT`` and brackets. What compares with null is
neither true nor false, as in SQL. Every other filter is left to LanceDB, which knows all of SQL and says what is wrong.
"""

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Condition = Callable[[Any], NDArray[np.bool_]]
"""Gives, of a table, whether each row meets a filter."""

_Truth = Callable[[Any], Any]
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)(?![\w.])|(?P<name>[A-Za-z_]\w*)|(?P<sign><>|<=|>=|!=|[=<>(),]))"
)
_COMPARISONS = {
    "=": "equal",
    "!=": "not_equal",
    "<>": "not_equal",
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
}
_RESERVED = frozenset(
    {"and", "or", "not", "in", "like", "ilike", "between", "is", "null", "true", "false", "end", "case"}
)
_MOST_DIGITS = 18


class _Unknown(Exception):  # noqa: N818 it is not an error
    """The filter has a part that is left to LanceDB."""


def parse_filter(where: str, schema: Any) -> Condition | None:
    """Read a filter.

    Args:
        where: The filter.
        schema: Arrow schema of the table's columns.

    Returns:
        What applies it; None where it is left to LanceDB.
    """
    try:
        parser = _Parser(_tokens(where), schema)
        truth = parser.alternatives()
        parser.end()
    except _Unknown:
        return None

    def condition(table: Any) -> NDArray[np.bool_]:
        import pyarrow.compute as pc  # noqa: PLC0415 only a filter needs it

        met: Any = pc.indices_nonzero(truth(table))  # pyright: ignore[reportAttributeAccessIssue] made at import
        meets = np.zeros(len(table), dtype=bool)
        meets[met.to_numpy()] = True
        return meets

    return condition


def _tokens(where: str) -> list[tuple[str, str]]:
    """Kind and text of each token; keywords are names in lower case, of the kind ``word``."""
    tokens: list[tuple[str, str]] = []
    place = 0
    where = where.rstrip()
    while place < len(where):
        match = _TOKEN.match(where, place)
        if match is None or match.lastgroup is None:
            raise _Unknown
        kind, text = match.lastgroup, match[match.lastgroup]
        is_word = kind == "name" and text.lower() in _RESERVED
        tokens.append(("word", text.lower()) if is_word else (kind, text))
        place = match.end()
    return tokens


class _Parser:
    """Reads tokens from left to right; a method reads what its name says and gives what computes its truth."""

    def __init__(self, tokens: Sequence[tuple[str, str]], schema: Any) -> None:
        self._tokens = [*tokens, ("end", "")]
        self._schema = schema
        self._place = 0

    def end(self) -> None:
        if self._tokens[self._place][0] != "end":
            raise _Unknown

    def alternatives(self) -> _Truth:
        """Conditions with OR between them."""
        truth = self._conditions()
        while self._takes("word", "or"):
            truth = _joined("or_kleene", truth, self._conditions())
        return truth

    def _conditions(self) -> _Truth:
        truth = self._condition()
        while self._takes("word", "and"):
            truth = _joined("and_kleene", truth, self._condition())
        return truth

    def _condition(self) -> _Truth:
        if self._takes("word", "not"):
            return _call("invert", self._condition())
        if self._takes("sign", "("):
            truth = self.alternatives()
            self._need("sign", ")")
            return truth
        return self._comparison()

    def _comparison(self) -> _Truth:
        name = self._next("name")
        if name not in self._schema.names:
            raise _Unknown
        kind = self._schema.field(name).type
        column: _Truth = operator.methodcaller("column", name)
        if self._tokens[self._place][0] == "sign" and self._tokens[self._place][1] in _COMPARISONS:
            sign = self._next("sign")
            return _call(_COMPARISONS[sign], column, self._value(kind))
        if self._takes("word", "is"):
            is_negated = self._takes("word", "not")
            self._need("word", "null")
            return _call("is_valid" if is_negated else "is_null", column)
        is_negated = self._takes("word", "not")
        truth = self._membership(column, kind)
        return _call("invert", truth) if is_negated else truth

    def _membership(self, column: _Truth, kind: Any) -> _Truth:
        if self._takes("word", "between"):
            least = _call("greater_equal", column, self._value(kind))
            self._need("word", "and")
            return _joined("and_kleene", least, _call("less_equal", column, self._value(kind)))
        if self._takes("word", "in"):
            self._need("sign", "(")
            truth = _call("equal", column, self._value(kind))
            while self._takes("sign", ","):
                truth = _joined("or_kleene", truth, _call("equal", column, self._value(kind)))
            self._need("sign", ")")
            return truth
        is_folded = self._takes("word", "ilike")
        if not (is_folded or self._takes("word", "like")) or kind != pa.string():
            raise _Unknown
        pattern = self._value(kind).as_py()
        if "\\" in pattern or (is_folded and not pattern.isascii()):
            raise _Unknown
        return _call("match_like", column, pattern=pattern, ignore_case=is_folded)

    def _value(self, kind: Any) -> Any:
        """A value of the type of the column that it is compared with."""
        sort, text = self._tokens[self._place]
        self._place += 1
        if sort == "text" and kind == pa.string():
            return pa.scalar(text[1:-1].replace("''", "'"))
        is_whole = sort == "number" and "." not in text and len(text) <= _MOST_DIGITS
        if is_whole and kind == pa.int64():
            return pa.scalar(int(text))
        if (is_whole or sort == "number") and kind == pa.float64():
            return pa.scalar(float(text))
        if sort == "word" and text in ("true", "false") and kind == pa.bool_():
            return pa.scalar(text == "true")
        raise _Unknown

    def _takes(self, kind: str, text: str) -> bool:
        is_there = self._tokens[self._place] == (kind, text)
        self._place += is_there
        return is_there

    def _need(self, kind: str, text: str) -> None:
        if not self._takes(kind, text):
            raise _Unknown

    def _next(self, kind: str) -> str:
        token, text = self._tokens[self._place]
        if token != kind:
            raise _Unknown
        self._place += 1
        return text


def _call(function: str, argument: _Truth, *values: Any, **options: Any) -> _Truth:
    """Apply a function of Arrow to what an argument gives."""

    def run(table: Any) -> Any:
        import pyarrow.compute as pc  # noqa: PLC0415 only a filter needs it

        return getattr(pc, function)(argument(table), *values, **options)

    return run


def _joined(function: str, one: _Truth, other: _Truth) -> _Truth:
    """Apply a function of Arrow to what two arguments give."""

    def run(table: Any) -> Any:
        import pyarrow.compute as pc  # noqa: PLC0415 only a filter needs it

        return getattr(pc, function)(one(table), other(table))

    return run
