import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

import selfsent
from selfsent.errors import UserError
from selfsent.methods import METHODS
from selfsent.one_writer import one_writer
from selfsent.runs.train import Request, execute, named_recipe, settle, train

TINY = {"channels": 2, "channel_size": 2, "vocab_size": 200, "device": "cpu"}
STEPS = {"max_steps": 2, "per_device_train_batch_size": 4}


@pytest.fixture(autouse=True)
def no_evaluation_data(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("SELFSENT_DATA", raising=False)


@pytest.fixture
def corpus(sentences: list[str], tmp_path: Path) -> Path:
    """Thirty-six texts, all different."""
    path = tmp_path / "corpus.txt"
    texts = [f"{sentence} {ending}" for sentence in sentences for ending in ("", "So it was.", "And then it rained.")]
    path.write_text("\n".join(texts) + "\n", encoding="utf8")
    return path


def trained(data: Path, output: Path, **overrides: Any) -> SentenceTransformer:
    training = {**STEPS, **overrides.pop("training", {})}
    return train(overrides.pop("method", "self-strae"), data, output, training=training, **{**TINY, **overrides})


def record(output: Path) -> dict[str, Any]:
    return json.loads((output / "run.json").read_text("utf8"))


def of_recipe(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(
        f"{text}\n[options]\nchannels = 2\nchannel_size = 2\nvocab_size = 200\n"
        "[training]\nmax_steps = 1\nper_device_train_batch_size = 4\n",
        encoding="utf8",
    )
    return str(path)


def test_a_recipe_reads_its_own_data_below_the_variable_unless_a_source_is_named(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    recipe = of_recipe(tmp_path, 'method = "self-strae"\ndata = "corpus.txt"')
    with pytest.raises(UserError, match=r"reads corpus\.txt below \$SELFSENT_DATA, which is not set.*--data"):
        train(recipe, None, tmp_path / "own", device="cpu")
    monkeypatch.setenv("SELFSENT_DATA", str(tmp_path))
    train(recipe, None, tmp_path / "own", device="cpu")
    assert record(tmp_path / "own")["recipe"]["data"] == str(corpus)
    other = tmp_path / "other.txt"
    other.write_text(corpus.read_text("utf8"), encoding="utf8")
    train(recipe, other, tmp_path / "named", device="cpu")
    assert record(tmp_path / "named")["recipe"]["data"] == str(other)
    corpus.unlink()
    with pytest.raises(UserError, match=r"corpus\.txt is not there; give --data"):
        train(recipe, None, tmp_path / "gone", device="cpu")


def test_a_recipe_names_columns_base_and_teacher_which_a_request_overrides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "small-bert").mkdir()
    (tmp_path / "rows.tsv").write_text("a\tb\tc\n", encoding="utf8")
    monkeypatch.setenv("SELFSENT_DATA", str(tmp_path))
    monkeypatch.setenv("SELFSENT_MODELS", str(tmp_path))
    text = 'method = "sct-distill"\ndata = "rows.tsv"\ncolumns = [1, 2]\nbase = "small-bert"\nteacher = "of/the-hub"\n'
    (tmp_path / "mine.toml").write_text(text, encoding="utf8")
    request = Request(method=str(tmp_path / "mine.toml"), output=tmp_path / "out")
    run = settle(named_recipe(request), request)
    assert (run.columns, run.base, run.teacher) == ([1, 2], str(tmp_path / "small-bert"), "of/the-hub")
    request = replace(request, data="mine.tsv", base="other", teacher="mine")
    run = settle(named_recipe(request), request)
    assert (run.data, run.columns, run.base, run.teacher) == ("mine.tsv", None, "other", "mine")


def test_translations_of_a_recipe_stand_below_the_variable_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "mine.toml").write_text(
        'method = "multilingual"\ndata = "parallel:en=$SELFSENT_DATA/a.txt,de=$SELFSENT_DATA/b.txt"\n', encoding="utf8"
    )
    request = Request(method=str(tmp_path / "mine.toml"), output=tmp_path / "out")
    with pytest.raises(UserError, match="which is not set"):
        settle(named_recipe(request), request)
    monkeypatch.setenv("SELFSENT_DATA", "/data")
    assert settle(named_recipe(request), request).data == "parallel:en=/data/a.txt,de=/data/b.txt"


def test_a_method_without_data_asks_for_a_source(tmp_path: Path):
    with pytest.raises(UserError, match="simcse names no data of its own; name the source with --data"):
        train("simcse", None, tmp_path / "model")


def test_a_preset_sets_what_the_authors_ran_and_other_settings_win(tmp_path: Path):
    def settled(method: str, **request: Any) -> Any:
        asked = Request(method=method, data="a.txt", output=tmp_path, **request)
        return settle(named_recipe(asked), asked)

    run = settled("sct", settings={"preset": "released", "reduction": "mean", "training.num_train_epochs": 2})
    assert (run.config.enqueue, run.config.reduction) == ("after", "mean")
    assert (run.training["num_train_epochs"], run.training["dataloader_drop_last"]) == (2, False)
    run = settled("sct-distill", settings={"preset": "released"}, base="trained-by-sct")
    assert (run.config.objective, run.config.head, run.config.reduction) == ("alone", "none", "sum")
    with pytest.raises(UserError, match="starts from a student that `sct` has trained; name it with --base"):
        settled("sct-distill", settings={"preset": "released"})
    run = settled("self-strae", settings={"preset": "released"})
    assert (run.config.channels * run.config.channel_size, run.config.tied) == (256, False)
    assert settled("sct", settings={"preset": "paper"}).config == METHODS["sct"].config()
    for method, preset, problem in (("sct", "x", "preset=x must be one of"), ("sarcse", "released", "has no preset")):
        with pytest.raises(UserError, match=problem):
            settled(method, settings={"preset": preset})


def test_a_run_of_a_version_with_fewer_options_goes_on_where_the_new_ones_have_their_defaults(
    corpus: Path, tmp_path: Path
):
    output = tmp_path / "model"
    trained(corpus, output)
    path = output / "run.json"
    run = record(output)
    del run["recipe"]["options"]["distance_decay"]
    path.write_text(json.dumps(run), encoding="utf8")
    trained(corpus, output, resume=True)
    with pytest.raises(UserError, match=r"distance_decay: 0\.0 -> 0\.5"):
        trained(corpus, output, resume=True, distance_decay=0.5)


def test_training_leaves_a_model_its_record_and_its_curve_and_no_corpus(
    corpus: Path, sentences: list[str], tmp_path: Path
):
    output = tmp_path / "model"
    model = trained(corpus, output)
    assert json.loads((output / "modules.json").read_text("utf8"))[0]["type"] == "selfsent.modules.TreeEncoder"
    run = record(output)
    assert run["status"] == "finished"
    assert run["recipe"]["method"] == "self-strae"
    assert run["recipe"]["options"]["channels"] == 2
    assert run["recipe"]["options"]["temperature"] == pytest.approx(0.8187, abs=1e-4)
    assert run["step"] == 2
    assert run["seed"] == 42
    assert len(run["data_hashes"][str(corpus)]) == 64
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text("utf8").splitlines()]
    assert any("loss" in line for line in lines)
    assert any("heldout_loss" in name for line in lines for name in line)
    assert not (output / ".corpus").exists()
    np.testing.assert_array_equal(selfsent.load(output, device="cpu").encode(sentences), model.encode(sentences))


def test_the_same_seed_gives_the_same_model_and_another_one_another(corpus: Path, sentences: list[str], tmp_path: Path):
    one, same, other = (trained(corpus, tmp_path / str(i), seed=seed) for i, seed in enumerate((1, 1, 2)))
    np.testing.assert_array_equal(one.encode(sentences), same.encode(sentences))
    assert not np.array_equal(one.encode(sentences), other.encode(sentences))


@pytest.mark.parametrize(
    "options",
    [
        {"method": "strae", "structure": "right"},
        {"objective": "cross-entropy"},
        {"objective": "contrastive-cross-entropy", "tied": False},
    ],
    ids=str,
)
def test_every_objective_trains_end_to_end(corpus: Path, tmp_path: Path, options: dict[str, Any]):
    model = trained(corpus, tmp_path / "model", **options)
    assert np.isfinite(model.encode(["the cat sleeps"])).all()
    assert model[0].structure == options.get("structure", "induced")


def test_texts_too_short_or_too_long_are_left_out_and_counted(sentences: list[str], tmp_path: Path):
    path = tmp_path / "texts.txt"
    path.write_text("\n".join([*sentences, "a", "the cat", " ".join(sentences)]), encoding="utf8")
    output = tmp_path / "model"
    trained(path, output, min_tokens=5, max_tokens=60)
    (note,) = [note for note in record(output)["sources"] if "left out" in note]
    assert note.startswith("12 texts")
    assert "2 with fewer than 5 tokens, 1 with more than 60" in note


def test_of_pairs_every_text_is_trained_on(sentences: list[str], tmp_path: Path):
    path = tmp_path / "pairs.jsonl.gz"
    pairs = [{"anchor": one, "positive": other} for one, other in zip(sentences[::2], sentences[1::2], strict=True)]
    path.write_bytes(gzip.compress("\n".join(json.dumps(pair) for pair in pairs).encode()))
    trained(path, tmp_path / "model")
    assert any(note.startswith("12 texts") for note in record(tmp_path / "model")["sources"])


def test_no_more_rows_are_read_than_max_rows(corpus: Path, tmp_path: Path):
    trained(corpus, tmp_path / "model", max_rows=10)
    assert any(note.startswith("10 texts") for note in record(tmp_path / "model")["sources"])


def test_fewer_rows_than_a_batch_are_refused_and_named(corpus: Path, tmp_path: Path):
    with pytest.raises(UserError, match="fewer than one batch of 512"):
        trained(corpus, tmp_path / "model", training={"per_device_train_batch_size": 512})
    assert not (tmp_path / "model" / "modules.json").exists()
    assert not (tmp_path / "model" / ".corpus").exists()


def test_a_finished_run_is_not_overwritten_unless_asked(corpus: Path, tmp_path: Path):
    output = tmp_path / "model"
    trained(corpus, output)
    before = record(output)["model_hash"]
    with pytest.raises(UserError, match="overwrite"):
        trained(corpus, output, seed=7)
    assert record(output)["model_hash"] == before
    trained(corpus, output, seed=7, overwrite=True)
    assert record(output)["model_hash"] != before
    assert record(output)["seed"] == 7


def test_resuming_a_finished_run_changes_nothing_and_another_recipe_is_refused(corpus: Path, tmp_path: Path):
    output = tmp_path / "model"
    trained(corpus, output)
    before = (output / "run.json").read_bytes()
    trained(corpus, output, resume=True)
    assert (output / "run.json").read_bytes() == before
    with pytest.raises(UserError, match="temperature"):
        trained(corpus, output, resume=True, temperature=0.1)
    assert (output / "run.json").read_bytes() == before
    assert not (output / ".corpus").exists()


def test_a_setting_wins_over_a_recipe_and_a_recipe_over_the_default(corpus: Path, tmp_path: Path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        'method = "self-strae"\nmax_rows = 20\nseed = 9\n'
        "[options]\nchannels = 2\nchannel_size = 2\ntemperature = 0.3\n"
        "[training]\nmax_steps = 2\nper_device_train_batch_size = 4\nlearning_rate = 0.5\n"
    )
    execute(
        Request(method=str(recipe), data=corpus, output=tmp_path / "model", device="cpu", settings={"temperature": 0.7})
    )
    run = record(tmp_path / "model")
    assert run["recipe"]["options"]["temperature"] == 0.7
    assert run["recipe"]["options"]["channels"] == 2
    assert run["recipe"]["options"]["leaf_dropout"] == 0.2
    assert run["recipe"]["max_rows"] == 20
    assert run["seed"] == 9
    assert run["arguments"]["learning_rate"] == 0.5


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        ({"temprature": 0.5}, "did you mean 'temperature'"),
        ({"temperature": 0.0}, "temperature=0"),
        ({"channels": 0, "leaf_dropout": 2}, r"leaf_dropout=2.*channels=0"),
        ({"decomposition_dropout": 1.5}, "decomposition_dropout=1.5"),
        ({"structure": "forest"}, "one of induced"),
        ({"base": "some-model"}, "takes no --base"),
        ({"teacher": "some-model"}, "without a teacher"),
        ({"training": {"learning_rte": 0.1}}, "learning_rate"),
        ({"method": "self-stra"}, r"unknown method or recipe 'self-stra' \(did you mean 'self-strae'\?\)"),
        ({"tokenizer": "./nowhere"}, "nowhere"),
        ({"max_rows": 0}, "max_rows"),
        ({"seed": -1}, "the seed must be a whole number between 0 and 4,294,967,295, got -1"),
        ({"seed": 2**32}, "the seed must be a whole number between 0 and 4,294,967,295, got 4294967296"),
        ({"channels": 10**9}, "do not fit into memory"),
        ({"temperature": float("nan")}, "temperature=nan is not a number"),
        ({"min_tokens": 500, "max_tokens": 600}, r"no text .*500 to 600 tokens: 36 are shorter, 0 longer"),
    ],
    ids=str,
)
def test_a_mistake_is_one_line_and_leaves_no_model(
    corpus: Path, tmp_path: Path, overrides: dict[str, Any], problem: str
):
    with pytest.raises(UserError, match=problem) as caught:
        trained(corpus, tmp_path / "model", **overrides)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "model" / "modules.json").exists()
    assert not (tmp_path / "model" / ".corpus").exists()


@pytest.mark.parametrize("name", ["data", "output", "base", "teacher", "data_dir", "device"])
def test_an_empty_name_is_refused_and_means_neither_this_folder_nor_a_default(
    name: str, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    asked = {"method": "sct-distill", "data": corpus, "output": tmp_path / "model", name: " " if name == "base" else ""}
    with pytest.raises(UserError, match=rf"--{name.replace('_', '-')} must be a name or a path, got nothing") as caught:
        train(asked.pop("method"), asked.pop("data"), asked.pop("output"), **asked)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [corpus]


def test_a_refused_run_leaves_no_new_folder_and_an_old_one_as_it_was(corpus: Path, tmp_path: Path):
    (tmp_path / "old").mkdir()
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text('{"model_type": "bert"}', encoding="utf8")
    for name in ("new", "old"):
        with pytest.raises(UserError, match="base"):
            train("simcse", corpus, tmp_path / name, base=str(base), device="cpu")
    assert not (tmp_path / "new").exists()
    assert (tmp_path / "old").is_dir()


def test_a_folder_of_somebody_else_is_refused_before_the_data_is_read(tmp_path: Path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_text("mine", encoding="utf8")
    with pytest.raises(UserError, match=r"holds model\.safetensors and no run of selfsent"):
        trained(tmp_path / "missing.txt", tmp_path / "model", overwrite=True)
    assert (tmp_path / "model" / "model.safetensors").read_text("utf8") == "mine"


def test_a_record_that_is_cut_is_said_before_the_data_is_read(tmp_path: Path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "run.json").write_text('{"status": "runn', encoding="utf8")
    with pytest.raises(UserError, match=r"run\.json is not readable JSON"):
        trained(tmp_path / "missing.txt", tmp_path / "model", resume=True)


def test_two_trainings_into_one_folder_do_not_mix(corpus: Path, tmp_path: Path):
    with one_writer(tmp_path / "model", "run folder"), pytest.raises(UserError, match="is being written by process"):
        trained(corpus, tmp_path / "model")
    assert not (tmp_path / "model" / "run.json").exists()


def test_a_source_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"missing\.txt"):
        trained(tmp_path / "missing.txt", tmp_path / "model")


def test_an_output_whose_parent_is_a_file_is_refused_before_any_work(corpus: Path, tmp_path: Path):
    with pytest.raises(UserError, match="cannot write"):
        trained(corpus, corpus / "model")
