"""The listings against what they list: every name, every option, its default and a description of it."""

import io
from dataclasses import fields

import pytest
from rich.console import Console
from tests.command_line import refused, typed

from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.suites import SUITES
from selfsent.listings import list_method, list_methods, list_recipes, list_suites, list_views
from selfsent.methods import METHODS
from selfsent.options import describe
from selfsent.runs.recipe import shipped_recipes
from selfsent.views import VIEWS
from selfsent.views.document_views import DOCUMENT_VIEWS

EVERY_METHOD = pytest.mark.parametrize("name", METHODS)


def printed(*renderables: object) -> str:
    file = io.StringIO()
    console = Console(width=400, file=file, markup=False)
    for one in renderables:
        console.print(one)
    return file.getvalue()


def first_cells(text: str) -> set[str]:
    return {line.split()[0] for line in text.splitlines() if line.strip()}


def test_every_method_view_suite_and_recipe_is_listed():
    assert first_cells(printed(list_methods())) >= set(METHODS)
    assert first_cells(printed(list_views())) >= {*VIEWS, *DOCUMENT_VIEWS}
    assert first_cells(printed(*list_suites())) >= {*SUITES, *(one.name for one in fields(SuiteOptions))}
    assert first_cells(printed(list_recipes())) >= set(shipped_recipes())


@EVERY_METHOD
def test_a_method_is_listed_with_every_option_its_summary_and_its_source(name: str):
    text = printed(*list_method(name))
    assert METHODS[name].summary in text
    assert "Source: " in text
    assert first_cells(text) >= {one.name for one in fields(METHODS[name].config)}


@EVERY_METHOD
def test_every_option_of_a_method_is_described_in_a_docstring(name: str):
    assert [one.name for one in describe(METHODS[name].config) if not one.text] == []


def test_every_view_is_described():
    rows = [line.split() for line in printed(list_views()).splitlines() if line.strip()]
    assert all(len(row) > 3 for row in rows[1:])


def test_one_option_stands_with_its_values_and_its_default():
    (line,) = [line for line in printed(*list_method("self-strae")).splitlines() if line.startswith("inducer")]
    assert "greedy, beam, chart" in line
    (line,) = [line for line in printed(*list_method("sct")).splitlines() if line.startswith("ema_decay")]
    assert "number, 0 or more and below 1" in line
    assert "0.999" in line


def test_a_preset_is_listed_with_what_it_sets_where_there_is_one():
    (line,) = [line for line in printed(*list_method("sct-distill")).splitlines() if line.startswith("preset ")]
    assert "paper, released" in line
    assert "objective=alone" in printed(*list_method("sct-distill"))
    assert "training.num_train_epochs=20" in printed(*list_method("sct"))
    assert "preset" not in first_cells(printed(*list_method("sarcse")))


def test_recipes_are_listed_with_the_whole_command():
    text = " ".join(printed(list_recipes()).split())
    assert "selfsent train sct-vs-simcse --output runs/sct-vs-simcse" in text
    assert "selfsent train sct-tiny --data DATA --output runs/sct-tiny" in text


def test_a_command_of_a_recipe_is_printed_on_one_line_so_that_it_can_be_copied():
    lines = typed("recipes").out.splitlines()
    assert sum(line.startswith("    selfsent train ") for line in lines) == len(shipped_recipes())
    assert "    selfsent train sct-tiny --data DATA --output runs/sct-tiny" in lines


def test_an_unknown_method_is_refused_with_the_nearest():
    refused(typed("methods", "sctt"), "unknown method 'sctt'", "did you mean 'sct'")


def test_the_commands_print_the_listings():
    assert "inducer" in typed("methods", "banyan").out
    assert "delete-10" in typed("views").out
    assert "own-documents" in typed("suites").out
