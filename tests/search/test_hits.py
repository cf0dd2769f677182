"""Answers as JSON, as lines and as a table."""

import io
import json

import pytest
from rich.console import Console

from selfsent.search.hit_table import render_hits, show_answers
from selfsent.search.hits import Answers, Hit
from selfsent.search.marks import Match

HIT = Hit(
    rank=1,
    score=0.75,
    text="The cat\nsleeps.",
    id="0",
    provenance={"file": "a b.md", "line": 3},
    document="a b.md",
    title="Cats",
    start=10,
    end=25,
    matches=(Match(start=4, end=7, kind="word"), Match(start=0, end=7, kind="phrase")),
)


def test_the_json_of_answers_has_exactly_the_agreed_keys():
    assert Answers(hits=[HIT], hidden=2).to_json() == {
        "hits": [
            {
                "rank": 1,
                "score": 0.75,
                "document": "a b.md",
                "title": "Cats",
                "file": "a b.md",
                "start": 10,
                "end": 25,
                "text": "The cat\nsleeps.",
                "matches": [{"start": 4, "end": 7, "kind": "word"}, {"start": 0, "end": 7, "kind": "phrase"}],
            }
        ],
        "hidden": 2,
    }


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "a b.md:3: The cat sleeps."),
        ({"provenance": {"file": "x.pdf", "page": 2}}, "x.pdf:Cats: The cat sleeps."),
        ({"provenance": {"qualified_name": "os.path"}, "document": "os.path", "title": ""}, "os.path: The cat sleeps."),
        ({"text": "", "provenance": {}}, "a b.md:Cats: Cats"),
        ({"text": "a\x1b[31mb"}, "a b.md:3: a\\x1b[31mb"),
    ],
)
def test_an_answer_is_one_line_for_other_programs(changes, line):
    assert Hit(**{**vars(HIT), **changes}).line() == line


def test_answers_go_to_a_pipe_as_lines_and_as_one_json_object_where_asked(capsys, caplog):
    caplog.set_level("INFO")
    show_answers(Answers(hits=[HIT], hidden=1), as_json=False)
    assert capsys.readouterr().out == "a b.md:3: The cat sleeps.\n"
    assert "1 weak answer hidden" in caplog.text
    show_answers(Answers(hits=[HIT]), as_json=True)
    assert json.loads(capsys.readouterr().out)["hits"][0]["text"] == "The cat\nsleeps."
    show_answers(Answers(hits=[]), as_json=False)
    assert capsys.readouterr().out == ""
    assert "nothing found" in caplog.text


def test_a_table_marks_what_matches_and_shows_the_title_and_how_many_are_hidden():
    stream = io.StringIO()
    Console(file=stream, force_terminal=True, width=90, color_system="standard").print(render_hits([HIT], hidden=3))
    shown = stream.getvalue()
    assert "\x1b[1;4;33mcat\x1b[0m" in shown
    assert "\x1b[4mThe \x1b[0m" in shown
    assert "Cats" in shown
    assert "3 weak answers hidden" in shown
    assert "a b.md:3" in shown


def test_control_characters_of_a_text_do_not_reach_the_terminal():
    stream = io.StringIO()
    hit = Hit(**{**vars(HIT), "text": "a \x1b]0;evil\x07 cat [red]b[/red] :smile:", "matches": ()})
    Console(file=stream, width=90).print(render_hits([hit]))
    assert "a \\x1b]0;evil\\x07 cat [red]b[/red] :smile:" in stream.getvalue()


def test_a_long_passage_is_cut_around_what_matches_with_an_ellipsis():
    text = "word " * 200 + "cat " + "word " * 200
    hit = Hit(**{**vars(HIT), "text": text, "matches": (Match(start=1000, end=1003, kind="word"),)})
    stream = io.StringIO()
    Console(file=stream, width=200).print(render_hits([hit]))
    shown = stream.getvalue()
    assert "cat" in shown
    assert shown.count("…") == 2
    assert len(shown.split()) < 100
