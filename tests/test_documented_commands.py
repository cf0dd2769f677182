"""Every command in README and docs parses and names what is there; what is wrong would be found."""

from pathlib import Path

import pytest
from tools import documented_commands
from tools.documented_commands import Written, commands, documents, problem


def test_every_command_in_readme_and_docs_parses_and_names_what_is_there():
    found = [command for path in documents() for command in commands(path)]
    assert len(found) > 100
    assert [f"{command.place}: {command.text}: {what}" for command in found if (what := problem(command))] == []


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("serach store query", "No such command 'serach'"),
        ("search store query --moed text", "No such option: --moed"),
        ("search store", "Missing argument"),
        ("search store query --mode words", "'words' is not one of"),
        ("train sctt --data a --output b", "unknown method or recipe 'sctt'"),
        ("train sct --data a --output b --set queue=3", "sct has no setting queue"),
        ("train sct --data a --output b --set training.rate=3", "sct has no setting rate"),
        ("train recipes/absent.toml --data a --output b", "there is no recipe recipes/absent.toml"),
        ("evaluate model --suite stss", "no suite named stss"),
        ("methods simsce", "there is no method simsce"),
    ],
)
def test_a_command_that_would_not_run_is_found(words: str, what: str):
    assert what in problem(Written(place="docs/a.md:1", words=words.split()))


def test_commands_are_found_in_blocks_and_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    page = tmp_path / "page.md"
    page.write_text(
        "selfsent not in a block\n\n"
        "```console\n$ selfsent search store 'a query' | head -1\nselfsent methods  # all\n```\n\n"
        "    $ WORLD=2 selfsent train sct --data a \\\n        --output b\n\n"
        "```text\nselfsent train NAME [OPTIONS]\n```\n",
        encoding="utf8",
    )
    monkeypatch.setattr(documented_commands, "ROOT", tmp_path)
    assert [command.words for command in commands(page)] == [
        ["search", "store", "a query"],
        ["methods"],
        ["train", "sct", "--data", "a", "--output", "b"],
    ]
