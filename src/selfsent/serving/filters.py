"""Filters of requests: read into a tree of comparisons, checked node by node, and written anew."""

import re
from collections.abc import Callable, Collection
from typing import Any

from sqlglot import Dialect, exp, parse, tokens
from sqlglot.errors import SqlglotError

from selfsent.errors import UserError, did_you_mean

_EXAMPLE = "\"file LIKE 'guide/%' AND page > 3\""
_NUMBER = re.compile(r"[0-9]{1,18}(\.[0-9]{0,18})?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_COMPARISONS: dict[type[exp.Expr], str] = {
    exp.And: "AND",
    exp.Or: "OR",
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.Like: "LIKE",
    exp.ILike: "ILIKE",
    exp.Is: "IS",
}


class _Filter(Dialect):
    """Standard SQL, in which a name may stand in backticks too, as LanceDB writes it."""

    class Tokenizer(tokens.Tokenizer):
        IDENTIFIERS = ['"', "`"]  # noqa: RUF012 the library's own declaration


def checked_filter(text: str, columns: Collection[str]) -> str:
    """Read a filter and write it anew, so that nothing reaches the store but comparisons of its columns.

    Args:
        text: Comparisons of columns with texts, numbers, true, false and null (``=``, ``<>``, ``<``, ``<=``, ``>``,
            ``>=``, ``LIKE``, ``ILIKE``, ``IN``, ``BETWEEN``, ``IS``), joined by ``AND``, ``OR``, ``NOT`` and brackets.
        columns: Names of columns that may be compared.

    Returns:
        The filter in LanceDB's SQL: every name in backticks, every text in quotes that nothing in it can end.

    Raises:
        UserError: It is not such a filter.
    """
    try:
        statements = parse(text, dialect=_Filter)
    except SqlglotError as error:
        raise UserError(
            f"the filter {_short(text)} is not a complete expression; close quotes and brackets, and write it as"
            f" {_EXAMPLE}"
        ) from error
    except RecursionError as error:
        raise UserError(f"the filter {_short(text)} has too many brackets inside one another; use fewer") from error
    if len(statements) != 1 or statements[0] is None:
        raise UserError(f"a filter must be one expression, got {_short(text)}; write one as {_EXAMPLE}")
    return _Writer(text, columns).written(statements[0])


class _Writer:
    """Writes what may stand in a filter.

    Args:
        text: The filter, for errors.
        columns: Columns that may be compared.
    """

    def __init__(self, text: str, columns: Collection[str]) -> None:
        self._text = text
        self._columns = columns
        self._special: dict[type[exp.Expr], Callable[[Any], str]] = {
            exp.Column: self._column,
            exp.Literal: self._literal,
            exp.Boolean: lambda node: "TRUE" if node.this else "FALSE",
            exp.Null: lambda _: "NULL",
            exp.Paren: lambda node: self.written(node.this),  # what needs brackets gets them
            exp.Not: lambda node: f"(NOT {self.written(node.this)})",
            exp.Neg: lambda node: f"-{self._number(node.this)}",
            exp.In: self._in,
            exp.Between: self._between,
        }

    def written(self, node: exp.Expr) -> str:
        """Write a node and what is below it.

        Raises:
            UserError: It may not stand in a filter.
        """
        if type(node) in self._special:
            return self._special[type(node)](node)
        if type(node) in _COMPARISONS:
            negated = "NOT " if node.args.get("negate") else ""
            return f"({self.written(node.this)} {negated}{_COMPARISONS[type(node)]} {self.written(node.expression)})"
        raise UserError(
            f"a filter compares columns with texts and numbers and calls nothing, got {_short(self._text)} (with"
            f" {type(node).__name__.upper()}); write it as {_EXAMPLE}"
        )

    def _column(self, node: exp.Column) -> str:
        name = node.name
        if len(node.parts) > 1 or name not in self._columns:
            shown = ".".join(part.name for part in node.parts)
            raise UserError(
                f"the filter names the column {shown[:80]!r}{did_you_mean(shown, self._columns)}, and the store has "
                f"{', '.join(self._columns)}; a text stands in single quotes"
            )
        return f"`{name}`"

    def _literal(self, node: exp.Literal) -> str:
        return "'" + node.name.replace("'", "''") + "'" if node.is_string else self._number(node)

    def _number(self, node: Any) -> str:
        number = node.name if isinstance(node, exp.Literal) and not node.is_string else ""
        if not _NUMBER.fullmatch(number):
            raise UserError(f"the filter {_short(self._text)} has a sign or a dot without a number; correct it")
        return number

    def _in(self, node: exp.In) -> str:
        values: list[exp.Expr] = node.args.get("expressions") or []
        if not values or any(node.args.get(name) for name in ("query", "unnest", "field")):
            raise UserError(f'IN needs values in brackets, got {_short(self._text)}; write it as "line IN (1, 2)"')
        return f"({self.written(node.this)} IN ({', '.join(map(self.written, values))}))"

    def _between(self, node: exp.Between) -> str:
        low, high = self.written(node.args["low"]), self.written(node.args["high"])
        return f"({self.written(node.this)} BETWEEN {low} AND {high})"


def _short(text: str) -> str:
    return repr(text if len(text) <= 120 else text[:119] + "…")  # noqa: PLR2004
