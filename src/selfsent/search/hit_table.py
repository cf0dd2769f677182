"""Answers of a search on standard output: a table with marks for a person, lines or JSON for other programs."""

import json
import logging
import re
import sys
from collections.abc import Sequence
from itertools import pairwise

import typer
from rich.console import RenderableType

from selfsent.printed_text import TextTable, in_pieces, show
from selfsent.search.hits import Answers, Hit
from selfsent.search.marks import excerpt

_LOG = logging.getLogger(__name__)
_STYLES = {"word": "bold yellow", "phrase": "underline"}
_SPACE = re.compile(r"\s+")


def render_hits(hits: Sequence[Hit], hidden: int = 0) -> TextTable:
    """Lay out answers for a terminal: rank, score, title and passage, and where it came from.

    Args:
        hits: The answers.
        hidden: How many weak ones are not shown.
    """
    table = TextTable(
        is_plain=True,
        has_header=bool(hits),
        title="" if hits else "nothing found",
        caption=hidden_note(hidden),
    )
    table.add_column("#", justify="right")
    table.add_column("score", justify="right")
    table.add_column("text", overflow="fold", ratio=1)
    table.add_column("from", style="dim", overflow="fold")
    for hit in hits:
        table.add_row(str(hit.rank), f"{hit.score:.3f}", marked(hit), hit.place)
    return table


def hidden_note(hidden: int) -> str:
    """Say how many weak answers are not shown; nothing where none is."""
    if not hidden:
        return ""
    answers = "1 weak answer" if hidden == 1 else f"{hidden} weak answers"
    return f"{answers} hidden, as near to the query as texts drawn at random; `--all` shows them"


def marked(hit: Hit) -> RenderableType:
    """Write an answer with its title, the part of the passage that matches, and marks on what does."""
    start, end = excerpt(hit.text, hit.matches)
    has_title = bool(hit.title) and hit.title not in hit.text[:end]
    pieces = [(f"{hit.title}\n", "bold")] if has_title else []
    pieces.append(("… " if start else "", ""))
    borders = {start, end, *(border for match in hit.matches for border in (match.start, match.end))}
    for left, right in pairwise(sorted(border for border in borders if start <= border <= end)):
        styles = {_STYLES[match.kind] for match in hit.matches if match.start <= left and right <= match.end}
        pieces.append((_SPACE.sub(" ", hit.text[left:right]), " ".join(sorted(styles))))
    pieces.append((" …" if end < len(hit.text) else "", ""))
    return in_pieces(pieces)


def show_answers(answers: Answers, *, as_json: bool) -> None:
    """Print answers: a table on a terminal, elsewhere ``path:line: text``, one line each.

    Args:
        answers: The answers.
        as_json: Print one JSON object instead.
    """
    if as_json:
        typer.echo(json.dumps(answers.to_json(), ensure_ascii=True))
    elif sys.stdout.isatty():
        show(render_hits(answers.hits, answers.hidden))
    else:
        for hit in answers.hits:
            typer.echo(hit.line())
        note = hidden_note(answers.hidden) or ("" if answers.hits else "nothing found")
        if note:
            _LOG.info(note)
