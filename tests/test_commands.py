"""What every command does with what was typed: names and places, empty values, mistakes."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from tests.command_line import refused, typed

from selfsent import cli, commands
from selfsent.atomic import require_file_place
from selfsent.commands import share_threads
from selfsent.errors import UserError, did_you_mean

COMMANDS: dict[str, Any] = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
TEXTS = {"query", "sentence", "columns", "set", "documents"}


def values() -> Iterator[tuple[str, str, str, list[str]]]:
    """Command, parameter, its name in errors, and what is typed before its value."""
    for name, command in COMMANDS.items():
        arguments = [one for one in command.params if not one.opts[0].startswith("-")]
        for one in command.params:
            if getattr(one, "is_flag", False):
                continue
            if one in arguments:
                yield name, one.name, one.metavar or one.name.upper(), ["x"] * arguments.index(one)
            else:
                yield name, one.name, one.opts[0], [one.opts[0]]


VALUES = [pytest.param(*value, id=f"{value[0]} {value[2]}") for value in values() if value[1] not in TEXTS]


def test_every_command_settles_what_is_typed() -> None:
    assert {"train", "search", "parse", "recipes"} <= COMMANDS.keys()
    assert all(isinstance(command, commands.Command) for command in COMMANDS.values())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    shown = typed(command, "--help")
    assert (shown.code, shown.err) == (0, "")
    assert f"selfsent {command}" in shown.out


@pytest.mark.parametrize(("command", "parameter", "label", "before"), VALUES)
def test_an_empty_value_is_refused_and_a_home_folder_found(
    command: str, parameter: str, label: str, before: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused(typed(command, *before, ""), f"error: {label} is empty", "a shell variable that is not set")
    if label.startswith("--"):
        refused(typed(command, f"{label}="), f"error: {label} is empty")
    if label == "-k":  # a number
        return
    monkeypatch.setenv("HOME", "/there")
    context = COMMANDS[command].context_class(COMMANDS[command], info_name=command)
    typing = [f"{label}=~/s"] if label.startswith("--") else [*before, "~/s"]
    found, *_ = COMMANDS[command].make_parser(context).parse_args(typing)
    assert found[parameter] in ("/there/s", ["/there/s"], ("/there/s",))


def test_a_text_is_taken_as_it_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/there")
    search, train = COMMANDS["search"], COMMANDS["train"]

    def parsed(command: Any, *arguments: str) -> dict[str, Any]:
        return command.make_parser(command.context_class(command, info_name="x")).parse_args(list(arguments))[0]

    assert parsed(search, "store", "~ is home")["query"] == "~ is home"
    assert parsed(search, "store", "--", "-5 degrees") == {"store": "store", "query": "-5 degrees"}
    assert parsed(search, "store", "caf\udcc3\udca9")["query"] == "café"  # as Python reads it in the C locale
    assert parsed(search, "store", "\udcff")["query"] == "\ufffd"
    assert parsed(train, "sct", "--set", "pairs=~/x", "--columns", "~a")["set"] == ["pairs=~/x"]


def test_a_number_that_cannot_be_is_told_with_what_is_needed() -> None:
    refused(typed("search", "store", "x", "-k", "many"), "'-k' / '--k': must be a valid integer, got 'many' (see")
    refused(
        typed("build", "x", "--output", "y", "--minutes", "0"), "must be greater than or equal to 0.1, got '0' (see"
    )


def test_a_missing_argument_is_named_in_capitals_as_in_the_documentation() -> None:
    refused(typed("search"), "Missing argument 'STORE'")
    refused(typed("tree", "model"), "Missing argument 'SENTENCE'")


def test_a_text_that_begins_with_a_minus_is_told_where_it_goes() -> None:
    for text in ("-x", "-5 degrees", "-kind of blue"):
        refused(typed("search", "store", text), "a text that begins with - goes behind `--`")
    refused(typed("tree", "model", "-x"), "goes behind `--`")
    assert "behind" not in typed("search", "store", "a", "--mod", "text").err
    assert "behind" not in typed("search", "store").err


def test_misspelt_names_are_answered_with_the_nearest(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("one two three\n", "utf8")
    refused(typed("train", "sctt", "--data", notes, "--output", tmp_path / "out"), "'sctt' (did you mean 'sct'?)")
    refused(typed("train", "demmo", "--data", notes, "--output", tmp_path / "out"), "(did you mean 'demo'?)")
    refused(typed("evaluate", "m", "--suite", "geometri"), "geometri (did you mean 'geometry'?)")
    refused(typed("evaluate", "m", "--split", "tset"), "'tset' is not one of 'test', 'dev' (did you mean 'test'?)")
    refused(typed("parse", notes, "--output", "x.parquet", "--on-bad-tree", "skp"), "(did you mean 'skip'?)")
    refused(typed("evaluat", "m"), "evaluate")
    assert did_you_mean("abacus", ["sct", "simcse"]) == ""


ABSURD = {
    "no rows": ("encode", "m", "n.txt", "--output", "o.npy", "--max-rows", 0),
    "more rows than a number holds": ("encode", "m", "n.txt", "--output", "o.npy", "--max-rows", 10**30),
    "a seed below zero": ("train", "sct", "--data", "n.txt", "--output", "o", "--seed", -1),
    "a seed of thirty digits": ("train", "sct", "--data", "n.txt", "--output", "o", "--seed", 10**30),
    "a seed of a demo": ("demo", "--seed", -1),
    "more processes than there are": ("parse", "n.txt", "--output", "o.parquet", "--processes", 10**30),
    "no batch": ("index", "m", "n.txt", "--store", "s", "--batch-size", 0),
    "epochs that are no number": ("train", "sct", "--data", "n.txt", "--output", "o", "--epochs", "nan"),
}


@pytest.mark.parametrize("name", ABSURD)
def test_a_number_out_of_all_bounds_is_one_line(name: str) -> None:
    refused(typed(*ABSURD[name]), f"'{ABSURD[name][-2]}'", "--help")


def test_a_device_that_computes_nothing_is_refused() -> None:
    refused(typed("search", "store", "x", "--device", "meta"), "'meta'", "leave --device out")


def test_what_the_operating_system_refuses_is_one_line(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("one two three\n", "utf8")
    refused(typed("encode", "a text in the wrong place " * 20, notes, "--output", tmp_path / "v.npy"), "too long")
    refused(typed("encode", "./n\n\x1b[31m", notes, "--output", tmp_path / "v.npy"), "./n\\n\\x1b[31m")


def test_a_log_line_is_one_line_whatever_it_holds() -> None:
    record = logging.LogRecord("selfsent", logging.INFO, "", 0, "file %s", ("a\nb\x1b[2J",), None)
    assert commands.OneLine("%(message)s").format(record) == "file a\\nb\\x1b[2J"


def test_an_output_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def working(*_: object, **__: object) -> None:
        raise AssertionError("the work has begun")

    monkeypatch.setattr("selfsent.evaluation.tasks.pairs.evaluate_own_labels", working)
    monkeypatch.setattr("selfsent.evaluation.comparison.compare.compare", working)
    monkeypatch.setattr("selfsent.drawing.sentence.sentence_tree", working)
    file, page = tmp_path / "file", tmp_path / "page.html"
    file.write_text("a person's", "utf8")
    page.mkdir()
    for option in ("--json", "--json="):
        place = (f"--json={tmp_path}",) if option.endswith("=") else (option, tmp_path)
        refused(typed("evaluate", "m", "--pairs", file, *place), f"{tmp_path} is a folder; name a file")
    refused(typed("evaluate", "m", "--pairs", file, "--json", file / "r.json"), "cannot write", "is a file")
    refused(typed("compare", "a", "b", "--output", page), "page.html is a folder")
    refused(typed("tree", "m", "a cat", "--output", tmp_path), "is a folder")
    refused(typed("tree", "m", "a cat", "--output", file / "t.txt"), "cannot write")
    assert file.read_text("utf8") == "a person's"


def test_a_place_is_checked_without_making_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_file_place(tmp_path / "new" / "folder" / "r.json")
    require_file_place(Path("/dev/stdout"))
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(UserError, match="cannot be written to; name another place"):
        require_file_place(tmp_path / "r.json")


def test_options_that_have_nothing_to_work_on_are_refused(tmp_path: Path) -> None:
    refused(typed("evaluate", "m", "--on-bad-row", "skip"), "--on-bad-row", "--pairs")
    refused(typed("evaluate", "m", "--qrels", tmp_path, "--on-bad-row", "skip"), "--on-bad-row")


_COUNT = """
import os
from selfsent.commands import share_threads
share_threads(os.environ)
import numba, torch
from threadpoolctl import threadpool_info
import numpy, scipy.linalg
print(torch.get_num_threads(), numba.get_num_threads(), *{pool["num_threads"] for pool in threadpool_info()})
"""


@pytest.mark.parametrize("budget", ["1", "3"])
def test_every_library_gets_the_budget_also_above_the_number_of_cores(budget: str):
    environment = {**os.environ, "SELFSENT_THREADS": budget, "OMP_NUM_THREADS": "7"}
    result = subprocess.run(
        [sys.executable, "-c", _COUNT], env=environment, capture_output=True, text=True, check=True, timeout=200
    )
    of_torch, of_numba, *of_pools = map(int, result.stdout.split())
    assert of_numba == int(budget)
    assert max(of_torch, *of_pools) <= int(budget)  # MKL and OpenBLAS never take more than there are cores


def test_without_a_budget_threads_are_as_many_as_they_were_and_wait_asleep():
    environment = {"OMP_NUM_THREADS": "7"}
    share_threads(environment)
    assert environment == {"OMP_NUM_THREADS": "7", "GOMP_SPINCOUNT": "10000"}


@pytest.mark.parametrize("asked", [{"GOMP_SPINCOUNT": "5"}, {"OMP_WAIT_POLICY": "active"}])
def test_threads_wait_as_the_environment_says(asked: dict[str, str]):
    environment = dict(asked)
    share_threads(environment)
    assert environment == asked


@pytest.mark.parametrize("budget", ["0", "-1", "two", "1.5", "99999", "²"])
def test_what_is_not_a_number_of_threads_is_refused(budget: str):
    with pytest.raises(UserError, match=rf"SELFSENT_THREADS must be a whole number from 1 to 1024, got '{budget}'"):
        share_threads({"SELFSENT_THREADS": budget})


def test_the_command_line_refuses_it_in_one_line():
    environment = {**os.environ, "SELFSENT_THREADS": "many"}
    result = subprocess.run(
        [sys.executable, "-m", "selfsent", "--help"], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert result.stderr.splitlines() == [
        "error: SELFSENT_THREADS must be a whole number from 1 to 1024, got 'many'; unset it to use all cores"
    ]
