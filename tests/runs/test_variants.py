"""What a recipe file may say, and the runs it stands for."""

from pathlib import Path

import pytest

from selfsent.errors import UserError
from selfsent.runs.recipe import Recipe, read_recipe
from selfsent.runs.variants import variants_of


def written(folder: Path, text: str) -> Recipe:
    path = folder / "sweep.toml"
    path.write_text(text, encoding="utf8")
    return read_recipe(path)


def test_a_recipe_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    assert written(tmp_path, '\ufeffmethod = "strae"\n').method == "strae"


def test_a_recipe_without_many_runs_stays_one_run(tmp_path: Path) -> None:
    recipe = written(tmp_path, 'method = "strae"\nseed = 3\n[options]\nstructure = "right"\n')
    assert not recipe.has_many_runs
    assert (recipe.name, recipe.method, recipe.seed, recipe.options) == ("sweep", "strae", 3, {"structure": "right"})


def test_a_grid_is_every_combination_in_the_order_written(tmp_path: Path) -> None:
    recipe = written(
        tmp_path,
        'method = "self-strae"\n[options]\nchannels = 4\n[training]\nmax_steps = 9\n'
        '[grid]\ntemperature = [0.5, 1]\n"training.learning_rate" = [1e-3, 1e-2]\n',
    )
    variants = variants_of(recipe)
    assert [variant.name for variant in variants] == [
        "temperature=0.5,learning_rate=0.001",
        "temperature=0.5,learning_rate=0.01",
        "temperature=1,learning_rate=0.001",
        "temperature=1,learning_rate=0.01",
    ]
    assert variants[1].recipe.options == {"channels": 4, "temperature": 0.5}
    assert variants[1].recipe.training == {"max_steps": 9, "learning_rate": 0.01}
    assert variants[1].settings == {"temperature": 0.5, "training.learning_rate": 0.01}
    assert not variants[1].with_seed(7).has_many_runs
    assert variants[1].with_seed(7).name == "temperature=0.5,learning_rate=0.01-seed7"


def test_named_runs_say_what_differs_from_the_base(tmp_path: Path) -> None:
    recipe = written(
        tmp_path,
        'method = "self-strae"\nmax_rows = 50\n[options]\nchannels = 4\n[[run]]\nname = "plain"\n'
        '[[run]]\nname = "right"\nmethod = "strae"\nmax_rows = 9\noptions = {structure = "right"}\n'
        "[run.training]\nlearning_rate = 0.5\n",
    )
    plain, right = (variant.recipe for variant in variants_of(recipe))
    assert (plain.method, plain.max_rows, plain.options, plain.training) == ("self-strae", 50, {"channels": 4}, {})
    assert (right.method, right.max_rows) == ("strae", 9)
    assert (right.options, right.training) == ({"channels": 4, "structure": "right"}, {"learning_rate": 0.5})


def test_seeds_alone_repeat_one_run(tmp_path: Path) -> None:
    recipe = written(tmp_path, 'method = "strae"\nseeds = [1, 2]\n')
    assert recipe.has_many_runs
    assert [variant.folder(2) for variant in variants_of(recipe)] == ["sweep-seed2"]


def test_a_value_that_is_no_file_name_still_names_a_folder(tmp_path: Path) -> None:
    (variant,) = variants_of(written(tmp_path, 'method = "strae"\n[grid]\ntokenizer = ["../a b/c"]\n'))
    assert variant.name == "tokenizer=.._a_b_c"
    assert variant.recipe.options == {"tokenizer": "../a b/c"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('method = "strae"\ncolour = 1\n', "has unknown keys colour"),
        ("seed = 1\n", "names no method"),
        ('method = "strae"\nmax_rows = "ten"\n', "has max_rows = 'ten' and needs a whole number"),
        ('method = "strae"\nseed = true\n', "has seed = True and needs a whole number"),
        ('method = "strae"\n[grid]\na = [1]\n[[run]]\nname = "a"\n', r"has both \[grid\] and \[\[run\]\]"),
        ('method = "strae"\nseeds = []\n', "has an empty seeds"),
        ('method = "strae"\n[grid]\n', "has an empty grid"),
        ('method = "strae"\nseed = 1\nseeds = [1]\n', "has both seed and seeds"),
        ('method = "strae"\nevaluate = "sts"\n', "has evaluate, which is for many runs"),
        ('method = "strae\n', "is not valid TOML"),
        (f'method = "strae"\nseed = {"9" * 5000}\n', "is not valid TOML"),
    ],
)
def test_a_recipe_that_cannot_be_meant_is_refused_with_the_reason(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as caught:
        written(tmp_path, text)
    assert "\n" not in str(caught.value)
    assert "sweep.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seeds = [1, 1]\n", "names a seed twice"),
        ("seeds = [1, 0.5]\n", "needs whole numbers"),
        ("seeds = [4294967296]\n", "needs whole numbers between 0 and 4,294,967,295"),
        ("[grid]\ntemperature = []\n", "temperature = .* needs a list with at least one value"),
        ("[grid]\ntemperature = 0.5\n", "temperature = 0.5 and needs a list"),
        ("[grid]\ntemperature = [1, 1.0]\n", "has a value twice"),
        ("[grid]\ntraining.learning_rate = [1]\n", 'write the key in quotes, "training.learning_rate"'),
        ('[[run]]\nname = "a"\n[[run]]\nname = "a"\n', "two runs are named a"),
        ('[grid]\ntokenizer = ["a b", "a/b"]\n', "two runs are named tokenizer=a_b"),
        ("[[run]]\noptions = {}\n", r"\[\[run\]\] 1 has no name"),
        ('[[run]]\nname = "a/b"\n', "it names folders"),
        ('[[run]]\nname = "a"\nseed = 1\n', "has unknown keys seed"),
        ('[[run]]\nname = "a"\noptions = 1\n', "has options = 1 and needs a dict"),
        ('[[run]]\nname = "a"\ncolumns = "de"\n', "has columns = 'de' and needs a list"),
        ("run = [1]\n", r"needs \[\[run\]\] entries"),
        (f'[grid]\ntokenizer = ["{"long" * 60}"]\n', "too long for folders"),
    ],
)
def test_runs_that_cannot_be_meant_are_refused_with_the_reason(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as caught:
        variants_of(written(tmp_path, f'method = "strae"\n{text}'))
    assert "\n" not in str(caught.value)


def test_all_problems_of_a_recipe_are_named_together(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"seeds = .*temperature = 1 .*channels = 2 "):
        variants_of(written(tmp_path, 'method = "strae"\nseeds = [-1]\n[grid]\ntemperature = 1\nchannels = 2\n'))


def test_a_run_without_any_method_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\[\[run\]\] 2 names no method"):
        variants_of(written(tmp_path, '[[run]]\nname = "a"\nmethod = "strae"\n[[run]]\nname = "b"\n'))


def test_a_run_may_start_from_a_base_and_a_teacher_of_its_own(tmp_path: Path) -> None:
    recipe = written(
        tmp_path,
        'method = "sct-distill"\nbase = "small"\n[[run]]\nname = "a"\n'
        '[[run]]\nname = "b"\nbase = "other"\nteacher = "large"\n',
    )
    found = variants_of(recipe)
    assert [(one.recipe.base, one.recipe.teacher) for one in found] == [("small", None), ("other", "large")]
    assert [dict(one.settings) for one in found] == [{}, {"base": "other", "teacher": "large"}]


def test_a_run_may_read_data_of_its_own_whose_columns_are_not_the_recipes(tmp_path: Path) -> None:
    recipe = written(
        tmp_path,
        'method = "strae"\ndata = "a.tsv"\ncolumns = [1, 2]\n[[run]]\nname = "a"\n[[run]]\nname = "b"\ndata = "b.txt"\n'
        '[[run]]\nname = "c"\ndata = "c.tsv"\ncolumns = ["de"]\n[[run]]\nname = "d"\ncolumns = [2]\n',
    )
    read = [(one.recipe.data, one.recipe.columns) for one in variants_of(recipe)]
    assert read == [("a.tsv", [1, 2]), ("b.txt", None), ("c.tsv", ["de"]), ("a.tsv", [2])]


def test_the_command_asks_for_data_unless_each_run_names_its_own(tmp_path: Path) -> None:
    runs = '[[run]]\nname = "a"\ndata = "a.txt"\n[[run]]\nname = "b"\n'
    assert written(tmp_path, f'method = "strae"\n{runs}').command().endswith("--data DATA --output runs/sweep")
    assert "--data" not in written(tmp_path, f'method = "strae"\n{runs}data = "b.txt"\n').command()
