"""What every command of the command line has in common: how typed values are read, and how an interruption ends."""

import os
from typing import Any

import typer.core

from selfsent.errors import UserError

_AS_TYPED = frozenset({"query", "sentence", "columns", "set"})
"""Parameters that hold texts or lists, neither a name nor a place; each says itself what it needs."""


class Interrupted(Exception):  # noqa: N818 it is no error
    """A person pressed Ctrl-C; the text says how to go on, which typer would drop."""


class CommandGroup(typer.core.TyperGroup):
    """All commands; passes an interruption on with its text."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Interrupted(str(error) or "interrupted") from None


class Command(typer.core.TyperCommand):
    """A command whose names and places may begin with ``~``, as in ``--store=~/notes``, and are never empty.

    Both are settled before typer makes a path of what was typed: an empty path would mean the current folder.
    """

    def make_parser(self, ctx: Any) -> Any:
        """Make the parser of typer, and settle what it finds."""
        parser = super().make_parser(ctx)
        parse = parser.parse_args
        named = {one.name: one for one in self.params if one.name not in _AS_TYPED}

        def parse_and_settle(args: list[str]) -> Any:
            found, rest, order = parse(args)
            for name in named.keys() & found.keys():
                found[name] = _settled(found[name], named[name])
            return found, rest, order

        parser.parse_args = parse_and_settle
        return parser


def _settled(value: Any, parameter: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(_settled(one, parameter) for one in value)
    if value == "":
        option = parameter.opts[0] if parameter.opts[0].startswith("-") else parameter.human_readable_name
        raise UserError(f"{option} is empty; give it a value (a shell variable that is not set is empty)")
    return os.path.expanduser(value) if isinstance(value, str) else value  # noqa: PTH111 a text stays a text
