"""The search of settings: what is tried, what is kept, how it goes on."""

import json
import tomllib
from pathlib import Path

import pytest
from tests.command_line import typed

from selfsent.errors import UserError
from selfsent.runs import tuning
from selfsent.runs.recipe import read_recipe
from selfsent.runs.train import Request, named_recipe, settle
from selfsent.runs.tuning import Choice, Range, Trial, Tuned, default_space, parse_space, tune

pytest.importorskip("optuna")


def test_ranges_and_choices_are_read():
    space = parse_space(["temperature=0.02..0.2", "beam_size=2..5", "head=none,kept", "training.warmup_steps=0,0.1"])
    assert space == {
        "temperature": Range(low=0.02, high=0.2),
        "beam_size": Range(low=2, high=5, is_whole=True),
        "head": Choice(values=["none", "kept"]),
        "training.warmup_steps": Choice(values=[0, 0.1]),
    }
    assert Range(low=0.02, high=0.2).is_log
    assert not Range(low=0.0, high=0.5).is_log
    assert not Range(low=1, high=5).is_log


@pytest.mark.parametrize("wrong", ["temperature=0.2..0.02", "temperature=a..b", "head=none", "head"])
def test_what_is_no_range_and_no_choice_is_refused(wrong: str):
    with pytest.raises(UserError, match="--search"):
        parse_space([wrong])


def test_a_lower_loss_and_a_higher_correlation_are_better():
    trials = [Trial(folder="a", settings={}, metric="heldout_loss", value=2.0),
              Trial(folder="b", settings={}, metric="heldout_loss", value=1.0),
              Trial(folder="c", settings={}, failure="loss is nan")]  # fmt: skip
    assert Tuned(trials=trials).best.folder == "b"
    trials = [Trial(folder="a", settings={}, metric="sts_dev_spearman", value=0.4),
              Trial(folder="b", settings={}, metric="sts_dev_spearman", value=0.5)]  # fmt: skip
    assert Tuned(trials=trials).best.folder == "b"


def test_the_recipes_own_settings_are_in_the_space_that_is_searched_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("SELFSENT_DATA", raising=False)
    request = Request(method="tree-10m", data="notes.txt", output=tmp_path)
    assert set(default_space(settle(named_recipe(request), request))) == {"training.learning_rate"}
    (tmp_path / "sts" / "STSBenchmark").mkdir(parents=True)
    (tmp_path / "sts" / "STSBenchmark" / "dev.jsonl").touch()
    request = Request(method="tree-10m", data="notes.txt", output=tmp_path, data_dir=tmp_path)
    space = default_space(settle(named_recipe(request), request))
    assert space["training.learning_rate"] == Range(low=1e-4, high=1e-2)
    assert space["training.per_device_train_batch_size"] == Choice(values=[16, 32, 64])
    assert space["temperature"] == Range(low=0.05, high=0.8)


def test_the_first_trial_is_the_recipe_and_the_best_one_is_a_recipe_that_trains(
    tmp_path: Path, notes: Path, monkeypatch: pytest.MonkeyPatch
):
    output = tmp_path / "tuned"
    arguments = (
        *("tune", "self-strae", "--data", notes, "--output", output, "--trials", 3, "--max-steps", 2, "--seed", 1),
        *("--set", "training.per_device_train_batch_size=4", "--search", "leaf_dropout=0.1..0.5"),
        *("--search", "training.learning_rate=1e-5..1e-2"),
    )
    done = typed(*arguments)
    assert done.code == 0, done.err
    assert "best.toml" in done.out
    rows = json.loads((output / "trials.json").read_text("utf8"))["trials"]
    assert [row["folder"] for row in rows] == ["trial-000", "trial-001", "trial-002"]
    assert rows[0]["settings"] == {"leaf_dropout": 0.2, "training.learning_rate": 1e-4}
    assert all(row["metric"] == "heldout_loss" for row in rows)
    assert not (output / "trial-000" / "checkpoints").exists()
    best = min(rows, key=lambda row: row["value"])
    recipe = read_recipe(output / "best.toml")
    assert recipe.options["leaf_dropout"] == best["settings"]["leaf_dropout"]
    assert recipe.training["per_device_train_batch_size"] == 4
    assert tomllib.loads((output / "best.toml").read_text("utf8"))["method"] == "self-strae"

    trained: list[str] = []
    monkeypatch.setattr(tuning, "train_run", lambda run: trained.append(run.folder.name) or real(run))
    again = typed(*arguments)  # finished runs are taken up: nothing is trained a second time
    assert again.code == 0, again.err
    assert json.loads((output / "trials.json").read_text("utf8"))["trials"] == rows


real = tuning.train_run


def test_what_changes_the_loss_that_judges_is_told(
    tmp_path: Path, notes: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.delenv("SELFSENT_DATA", raising=False)
    request = Request(method="self-strae", data=notes, output=tmp_path / "tuned", training={"max_steps": 1})
    with pytest.raises(UserError):  # of the batch, which is larger than the data
        tune(request, num_trials=1, space={"temperature": Range(low=0.1, high=2)})
    assert "trials are judged by the loss on held-out rows, which temperature changes" in caplog.text


def test_an_option_that_is_not_there_is_refused_before_any_run(tmp_path: Path, notes: Path):
    request = Request(method="self-strae", data=notes, output=tmp_path / "tuned")
    with pytest.raises(UserError, match="self-strae has no option temprature"):
        tune(request, num_trials=2, space={"temprature": Range(low=0.1, high=1)})
    assert not (tmp_path / "tuned").exists()


def test_what_is_searched_may_not_be_fixed_as_well(tmp_path: Path, notes: Path):
    request = Request(method="self-strae", data=notes, output=tmp_path / "tuned", training={"max_steps": 1})
    with pytest.raises(UserError, match=r"training\.max_steps must be either fixed"):
        tune(request, num_trials=1, space={"training.max_steps": Range(low=1, high=3, is_whole=True)})


def test_a_recipe_of_many_runs_is_refused(tmp_path: Path, notes: Path):
    with pytest.raises(UserError, match="tune needs a recipe of one run, got sct-vs-simcse"):
        tune(Request(method="sct-vs-simcse", data=notes, output=tmp_path / "tuned"), num_trials=2)


def test_trials_that_all_fail_are_one_line(tmp_path: Path, notes: Path):
    request = Request(method="self-strae", data=notes, output=tmp_path / "tuned", training={"max_steps": 1})
    with pytest.raises(UserError, match=r"no trial finished; the first one failed: the data has"):
        tune(request, num_trials=1, space={"training.per_device_train_batch_size": Choice(values=[4000, 5000])})
