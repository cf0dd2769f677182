import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from selfsent.errors import UserError
from selfsent.methods import METHODS
from selfsent.methods.strae import StraeConfig, training
from selfsent.options import configure
from selfsent.runs.recipe import find_recipe, parse_assignments, read_recipe, shipped_recipes, split_settings


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


@dataclass(frozen=True, kw_only=True)
class Settings:
    temperature: float = 0.5
    channels: int = 10
    tied: bool = True
    structure: Literal["induced", "balanced"] = "induced"
    tokenizer: str | None = None


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("temperature=0.05", 0.05),
        ("channels=16", 16),
        ("tied=false", False),
        ("tokenizer=null", None),
        ("structure=balanced", "balanced"),
        ('structure="balanced"', "balanced"),
        ("tokenizer=a=b", "a=b"),
        ("  channels = 16 ", 16),
        ("tokenizer=", ""),
        ("learning=1e-3", 0.001),
    ],
)
def test_a_value_is_json_where_it_reads_as_json_and_else_a_text(assignment: str, value: Any):
    ((_, found),) = parse_assignments([assignment]).items()
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("assignment", ["temperature", "=0.5", " =0.5", ""])
def test_an_assignment_without_key_or_sign_is_refused(assignment: str):
    with pytest.raises(UserError, match="key=value"):
        parse_assignments([assignment])


def test_a_key_given_twice_is_refused():
    with pytest.raises(UserError, match="channels twice"):
        parse_assignments(["channels=1", "tied=true", "channels=2"])


def test_the_trainers_arguments_are_parted_from_the_methods_options():
    options, arguments = split_settings({"channels": 4, "training.learning_rate": 0.1, "training.seed": 3})
    assert options == {"channels": 4}
    assert arguments == {"learning_rate": 0.1, "seed": 3}


def test_values_take_the_type_of_their_option():
    config = configure(Settings, {"temperature": 1, "channels": 16.0, "tied": False, "tokenizer": 5}, method="m")
    assert config == Settings(temperature=1.0, channels=16, tied=False, tokenizer="5")
    assert type(config.temperature) is float
    assert type(config.channels) is int


@pytest.mark.parametrize("value", [None, "none"])
def test_an_optional_value_may_be_none(value: str | None):
    assert configure(Settings, {"tokenizer": value}, method="m").tokenizer is None


@pytest.mark.parametrize(
    ("name", "value", "needed"),
    [
        ("temperature", "warm", "a number"),
        ("temperature", True, "a number"),
        ("channels", 2.5, "a whole number"),
        ("channels", "ten", "a whole number"),
        ("channels", float("inf"), "a whole number"),
        ("channels", 10**30, "a whole number of at most"),
        pytest.param("channels", 10**5000, "a number of over 40 digits is not a whole number", id="digits"),
        pytest.param("channels", "9" * 5000, "…' is not a whole number", id="characters"),
        ("temperature", float("nan"), "a number"),
        pytest.param("temperature", 10**400, "a number", id="overflow"),
        ("tied", 1, "true or false"),
        ("tied", "yes", "true or false"),
        ("structure", "forest", "one of induced, balanced"),
        ("structure", ["induced"], "one of induced, balanced"),
        ("tokenizer", [1], "a text"),
    ],
)
def test_a_value_of_another_type_is_refused_with_what_is_needed(name: str, value: Any, needed: str):
    with pytest.raises(UserError, match=f"{name}=.*{needed}"):
        configure(Settings, {name: value}, method="m")


def test_what_json_cannot_read_is_a_text():
    assert parse_assignments(["a=" + "9" * 5000, "b=" + "[" * 100_000]) == {"a": "9" * 5000, "b": "[" * 100_000}


def test_an_unknown_option_is_refused_with_the_nearest_known_ones():
    with pytest.raises(UserError, match="m has no option temprature; did you mean temperature"):
        configure(Settings, {"temprature": 1}, method="m")
    with pytest.raises(UserError, match="it has temperature, channels, tied, structure, tokenizer"):
        configure(Settings, {"zzz": 1}, method="m")


def test_all_problems_are_told_together_in_one_line():
    with pytest.raises(UserError) as caught:
        configure(Settings, {"temprature": 1, "channels": "x", "structure": "forest", "tied": True}, method="m")
    message = str(caught.value)
    assert all(word in message for word in ("temprature", "channels", "structure"))
    assert "\n" not in message


def test_the_published_training_arguments_of_self_strae():
    contrastive, mixed = training(StraeConfig()), training(StraeConfig(objective="contrastive-cross-entropy"))
    assert contrastive["learning_rate"] == 1e-4
    assert mixed["learning_rate"] == 1e-3
    assert contrastive["per_device_train_batch_size"] == 512
    assert contrastive["num_train_epochs"] == 15
    assert contrastive["max_grad_norm"] == 1.0
    assert contrastive["weight_decay"] == 0.0
    assert contrastive["lr_scheduler_type"] == "constant"
