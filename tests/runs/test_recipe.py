import tomllib
from pathlib import Path

import pytest

from selfsent.errors import UserError
from selfsent.methods import METHODS
from selfsent.runs.recipe import find_recipe, read_recipe, shipped_recipes
from selfsent.settings import configure, split_settings


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf8")
    return path


def test_a_recipe_says_method_options_training_and_budget(tmp_path: Path):
    path = write(
        tmp_path,
        'method = "strae"\ntitle = "a"\nmax_rows = 5\nseed = 7\n'
        "[options]\nchannels = 2\n[training]\nlearning_rate = 0.1\n",
    )
    recipe = read_recipe(path)
    assert (recipe.name, recipe.method, recipe.max_rows, recipe.seed) == ("mine", "strae", 5, 7)
    assert recipe.options == {"channels": 2}
    assert recipe.training == {"learning_rate": 0.1}
    assert find_recipe(str(path), METHODS) == recipe


def test_a_byte_order_mark_is_no_part_of_a_recipe(tmp_path: Path):
    assert read_recipe(write(tmp_path, '\ufeffmethod = "strae"\n')).method == "strae"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('method = "strae"\ncolour = "red"\n', "colour"),
        ('title = "no method"\n', "names no method"),
        ("", "names no method"),
        ("method = \n", "not valid TOML"),
        ('method = "strae"\nmax_rows = "ten"\n', "max_rows"),
        ('method = "strae"\noptions = 5\n', "options"),
        ("method = 5\n", "method"),
    ],
)
def test_a_recipe_that_is_not_one_is_refused_in_one_line(tmp_path: Path, text: str, problem: str):
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=problem) as caught:
        read_recipe(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_recipe_that_is_no_text_or_not_there_is_refused(tmp_path: Path):
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (binary, tmp_path / "missing.toml", tmp_path):
        with pytest.raises(UserError, match=r"cannot read the recipe|is not valid TOML"):
            read_recipe(path)


def test_a_methods_name_alone_is_a_recipe_with_its_defaults():
    for name, method in METHODS.items():
        recipe = find_recipe(name, METHODS)
        assert recipe.method == name == method.name
        assert not recipe.options
        assert method.config() == configure(method.config, recipe.options, method=name)


def test_what_is_neither_method_nor_recipe_is_refused_with_the_methods_there_are():
    with pytest.raises(UserError, match="self-strae, strae"):
        find_recipe("self-stra", METHODS)


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_names_a_known_method_and_options_it_has(name: str):
    path = shipped_recipes()[name]
    recipe = find_recipe(name, METHODS)
    assert recipe.title
    assert recipe.answers
    if recipe.method:
        method = METHODS[recipe.method]
        options, arguments = split_settings(recipe.options)
        assert not arguments, "training arguments stand in [training]"
        method.configure(options)
    assert tomllib.loads(path.read_text("utf8"))
