"""A mistyped name is answered at once: nothing heavy is imported before it is."""

from pathlib import Path

import pytest
from tests.cold_process import refused_at_once

from selfsent.errors import UserError
from selfsent.runs.mistyped import refuse_mistyped


@pytest.fixture
def texts(tmp_path: Path) -> str:
    (tmp_path / "texts.txt").write_text("A cat sleeps.\n", "utf8")
    return str(tmp_path / "texts.txt")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("train sctt --data TEXTS", "unknown method or recipe 'sctt' (did you mean 'sct'?)"),
        ("train absent.toml --data TEXTS", "cannot read the recipe absent.toml"),
        ("train simcse --data TEXTS --set temprature=1", "simcse has no option temprature; did you mean temperature"),
        ("train simcse --data TEXT", "no file or folder at TEXT"),
        ("train simcse", "simcse names no data of its own; name the source with --data"),
        ("train simcse --data TEXTS --base ./bert", "no model at ./bert"),
        ("train sct-distill --data TEXTS --teacher ./bert", "no model at ./bert"),
        ("tune simcse --data TEXTS --set temprature=1", "simcse has no option temprature; did you mean temperature"),
    ],
)
def test_a_mistyped_name_is_told_before_torch_is_imported(tmp_path: Path, texts: str, words: str, told: str):
    arguments = words.replace("TEXTS", texts).split()
    assert told in refused_at_once(*arguments, "--output", str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_all_options_that_are_not_known_are_told_together_those_of_a_recipe_too(tmp_path: Path, texts: str):
    recipe = tmp_path / "mine.toml"
    recipe.write_text('method = "simcse"\n[options]\npoling = "cls"\n', "utf8")
    with pytest.raises(UserError, match=r"no option poling; .* no option temprature; "):
        refuse_mistyped(str(recipe), texts, {"temprature": 1, "preset": "paper"}, base=None, teacher=None)


@pytest.mark.parametrize("source", ["docs:", "hf:nobody/nothing", "parallel:nowhere"])
def test_what_is_no_path_and_a_name_on_the_hub_are_left_to_what_opens_them(source: str):
    refuse_mistyped("sct", source, {"training.x": 1}, base="tree", teacher="all-MiniLM-L6-v2")


def test_a_table_of_many_runs_needs_no_data_to_be_there(tmp_path: Path):
    recipe = tmp_path / "table.toml"
    recipe.write_text('method = "simcse"\nseeds = [1, 2]\n', "utf8")
    refuse_mistyped(str(recipe), None, {}, base=None, teacher=None)
