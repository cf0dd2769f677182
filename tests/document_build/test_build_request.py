"""What a person asks of a build, written as the command that asks for it again."""

import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.document_build.small_corpus import request

from selfsent.cli import app
from selfsent.document_build import BuildRequest


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, ""),
        ({"base": "static", "seed": 7}, "--base static --seed 7"),
        ({"teacher": "a model"}, "--teacher 'a model'"),
        ({"columns": ["name", 3], "unit": "line"}, "--columns name,3 --unit line"),
        ({"on_bad_row": "skip", "minutes": 9}, "--on-bad-row skip"),
        ({"engine": "ray", "address": "head:6379"}, "--engine ray --address head:6379"),
    ],
)
def test_the_command_that_builds_again_repeats_what_is_not_the_default(options, words):
    asked = request(Path("my notes"), Path("out"), **options)
    assert asked.command() == f"selfsent build 'my notes' --output out {words}".strip()


def test_the_command_is_parsed_into_the_same_request():
    asked = BuildRequest(
        source="notes", output=Path("out"), base="static", unit="line", on_bad_row="skip", engine="ray"
    )
    group: Any = typer.main.get_command(app)
    words = shlex.split(asked.command())[1:]
    _, command, rest = group.resolve_command(group.make_context("selfsent", ["build"]), words)
    values = command.make_context("build", rest).params
    names = ("source", "output", "base", "unit", "on_bad_row", "engine")
    assert [values[name] for name in names] == [getattr(asked, name) for name in names]
