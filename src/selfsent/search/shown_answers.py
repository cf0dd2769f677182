"""Answers of a search on standard output: a table for a person, lines or JSON for other programs."""

import json
import logging
import sys

import typer

from selfsent.printed_text import show
from selfsent.search.hit_table import hidden_note, render_hits
from selfsent.search.hits import Answers

_LOG = logging.getLogger(__name__)


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
