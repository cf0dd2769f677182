"""What a run leaves behind, and what it refuses."""

import errno
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from tests.training.tiny_run import HeadQueueLoss, Interrupt, NotFiniteAt, make_model, make_plan

from selfsent.errors import UserError
from selfsent.folder_names import visible_names
from selfsent.loading import load
from selfsent.one_writer import LOCK_FILE
from selfsent.training.engine import train
from selfsent.training.run import RunPlan
from selfsent.training.run_folder import RunFolder


def planned(folder: Path, **options: Any) -> RunPlan:
    return make_plan(folder / "run", options)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished ``run``, for tests that leave it as it is."""
    folder = tmp_path_factory.mktemp("finished")
    train(planned(folder))
    return folder


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and path.name != LOCK_FILE
    }


def test_a_run_leaves_a_model_any_host_opens_with_its_metrics_and_its_record(tmp_path: Path) -> None:
    trained = train(planned(tmp_path))
    texts = ["w1 w2", "w3", "w4 w5 w6"]
    reopened = SentenceTransformer(str(tmp_path / "run"), device="cpu")
    assert torch.equal(torch.tensor(trained.encode(texts)), torch.tensor(reopened.encode(texts)))
    record = json.loads((tmp_path / "run" / "run.json").read_text("utf8"))
    assert record["status"] == "finished"
    assert record["recipe"]["method"] == "test"
    assert (record["step"], record["epoch"], record["num_rows_seen"]) == (24, 3.0, 96)
    assert {"versions", "commit", "machine", "seconds", "seed", "data_hashes", "model_hash"} <= record.keys()
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text("utf8").splitlines()]
    assert record["metrics"]["loss"] == [line["loss"] for line in lines if "loss" in line][-1]


def test_the_tokens_seen_are_those_of_the_rows_seen(finished: Path) -> None:
    plan = planned(finished)
    num_tokens = sum(len(text.split()) for column in ("anchor", "positive") for text in plan.built.dataset[column])
    assert json.loads((finished / "run" / "run.json").read_text("utf8"))["num_tokens_seen"] == 3 * num_tokens


def test_the_model_card_shows_recipe_data_and_citation_but_no_training_text(tmp_path: Path) -> None:
    plan = planned(tmp_path, loss="host")
    train(plan)
    card = (tmp_path / "run" / "README.md").read_text("utf8")
    assert '"method": "test"' in card
    assert "rows made up for the test" in card
    assert "bibtex" in card
    assert plan.built.dataset["anchor"][0] not in card


def test_a_model_that_is_there_is_refused_without_overwrite(finished: Path) -> None:
    before = snapshot(finished)
    with pytest.raises(UserError, match="already holds a model; replace it with --overwrite"):
        train(planned(finished))
    assert snapshot(finished) == before


@pytest.mark.parametrize("flags", [{}, {"resume": True}, {"overwrite": True}])
def test_a_folder_that_is_somebody_elses_is_refused_whatever_the_flags_and_left_alone(
    tmp_path: Path, flags: dict[str, bool]
) -> None:
    (tmp_path / "run").mkdir()
    for name in ("model.safetensors", "notes.txt", "run.json", "a.csv"):
        (tmp_path / "run" / name).write_text('{"mine": 1}', encoding="utf8")
    before = snapshot(tmp_path)
    with pytest.raises(
        UserError, match=r"holds a\.csv, model\.safetensors, notes\.txt and 1 more and no run"
    ) as caught:
        train(planned(tmp_path, **flags))
    assert "\n" not in str(caught.value)
    assert snapshot(tmp_path) == before


def test_a_model_of_the_host_is_not_replaced_either(tmp_path: Path) -> None:
    make_model().save_pretrained(str(tmp_path / "run"))
    before = snapshot(tmp_path)
    with pytest.raises(UserError, match="no run of selfsent"):
        train(planned(tmp_path, overwrite=True))
    assert snapshot(tmp_path) == before


def test_hidden_files_do_not_make_a_folder_somebody_elses(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".gitkeep").touch()
    train(planned(tmp_path, arguments={"max_steps": 1}))
    assert (tmp_path / "run" / ".gitkeep").exists()


def test_a_second_run_cannot_write_into_a_folder_in_which_one_is_written(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run").sole_writer():
        with ThreadPoolExecutor(1) as others:  # a thread of its own holds nothing
            second = others.submit(train, planned(tmp_path))
        with pytest.raises(UserError, match=r"the run folder .*run is being written by process"):
            second.result()
        assert visible_names(tmp_path / "run") == set()
        train(planned(tmp_path, arguments={"max_steps": 1}))
    assert (tmp_path / "run" / "modules.json").is_file()


@pytest.mark.parametrize("rest", ["", '{"status": "runn', "\0\0\0"])
@pytest.mark.parametrize("modules", [None, "", '[{"path": "1_Dro'])
def test_a_run_whose_record_is_cut_can_be_overwritten(tmp_path: Path, rest: str, modules: str | None) -> None:
    train(planned(tmp_path, arguments={"max_steps": 1}))
    (tmp_path / "run" / "run.json").write_text(rest, encoding="utf8")
    if modules is not None:
        (tmp_path / "run" / "modules.json").write_text(modules, encoding="utf8")
    (tmp_path / "run" / "notes.txt").write_text("mine", encoding="utf8")
    with pytest.raises(UserError, match=r"run\.json is not readable JSON .*--overwrite"):
        train(planned(tmp_path, resume=True))
    train(planned(tmp_path, overwrite=True, arguments={"max_steps": 2}))
    assert json.loads((tmp_path / "run" / "run.json").read_text("utf8"))["step"] == 2
    assert (tmp_path / "run" / "notes.txt").read_text("utf8") == "mine"


def test_what_a_run_of_a_cut_record_left_is_cleared_before_the_next_one_begins(tmp_path: Path) -> None:
    train(planned(tmp_path, arguments={"max_steps": 1}))
    (tmp_path / "run" / "run.json").write_text("", encoding="utf8")
    (tmp_path / "run" / "notes.txt").write_text("mine", encoding="utf8")
    RunFolder(tmp_path / "run").begin(planned(tmp_path, overwrite=True))
    assert visible_names(tmp_path / "run") == {"notes.txt"}


def test_overwriting_replaces_the_model_and_leaves_files_of_others_alone(tmp_path: Path) -> None:
    train(planned(tmp_path, arguments={"max_steps": 2}))
    first = load_file(tmp_path / "run" / "model.safetensors")
    (tmp_path / "run" / "notes.txt").write_text("mine", encoding="utf8")
    train(planned(tmp_path, overwrite=True))
    second = load_file(tmp_path / "run" / "model.safetensors")
    assert not torch.equal(next(iter(first.values())), next(iter(second.values())))
    assert (tmp_path / "run" / "notes.txt").read_text("utf8") == "mine"


def test_resuming_a_finished_run_changes_nothing_and_gives_its_model(
    finished: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = snapshot(finished)
    again = train(planned(finished, resume=True))
    assert snapshot(finished) == before
    assert "is finished: nothing to resume" in caplog.text
    saved = load_file(finished / "run" / "model.safetensors")
    assert torch.equal(again[0].embedding.weight, next(iter(saved.values())))


def test_resuming_with_another_recipe_names_what_differs(finished: Path) -> None:
    with pytest.raises(UserError, match=r"recipe\.method: test -> other; recipe\.options\.structure: left -> right"):
        train(planned(finished, resume=True, method="other", structure="right"))
    with pytest.raises(UserError, match=r"arguments\.learning_rate: 0\.01 -> 0\.5"):
        train(planned(finished, resume=True, arguments={"learning_rate": 0.5}))


def test_resuming_with_another_number_of_ranks_is_refused(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = snapshot(finished)
    monkeypatch.setattr("selfsent.training.run_folder.num_ranks", lambda: 2)
    with pytest.raises(UserError, match=r"with 2 processes, and 1 began the run: .*start as many again"):
        RunFolder(finished / "run").begin(planned(finished, resume=True))
    assert snapshot(finished) == before


def test_resuming_nothing_starts_afresh_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        train(planned(tmp_path, resume=True))
    assert "starting afresh" in caplog.text
    assert (tmp_path / "run" / "modules.json").is_file()


def test_resume_and_overwrite_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="both --resume and --overwrite"):
        train(planned(tmp_path, resume=True, overwrite=True))


def test_an_output_that_cannot_be_written_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file", encoding="utf8")
    with pytest.raises(UserError, match="cannot write to the output"):
        train(planned(tmp_path))


@pytest.mark.parametrize(
    ("num_rows", "batch_size", "advice"),
    [
        (3, 4, "give more text, or a smaller batch, such as --batch-size 2"),
        (130, 512, "give more text, or a smaller batch, such as --batch-size 32"),
        (1, 4, "give more text"),
    ],
)
def test_fewer_rows_than_a_batch_are_refused_with_a_size_that_fits(
    tmp_path: Path, num_rows: int, batch_size: int, advice: str
) -> None:
    plan = planned(tmp_path, num_rows=num_rows, arguments={"per_device_train_batch_size": batch_size})
    with pytest.raises(UserError) as caught:
        train(plan)
    assert str(caught.value) == f"the data has {num_rows} rows, fewer than one batch of {batch_size}; {advice}"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("gradient_only", [False, True])
def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(
    gradient_only: bool, tmp_path: Path
) -> None:
    plan = planned(tmp_path)
    loss = NotFiniteAt(plan.built.model, call=8, gradient_only=gradient_only)
    plan.built = replace(plan.built, loss=loss)
    what = "gradient norm" if gradient_only else "loss"
    with pytest.raises(UserError, match=rf"{what} is nan at step 8 .*checkpoint-5") as caught:
        train(plan)
    assert "\n" not in str(caught.value)
    weights = load_file(tmp_path / "run" / "checkpoints" / "checkpoint-5" / "model.safetensors")
    assert all(torch.isfinite(tensor).all() for tensor in weights.values())
    assert all(torch.isfinite(parameter).all() for parameter in plan.built.model.parameters())
    assert not (tmp_path / "run" / "modules.json").exists()


def test_an_unfinished_run_is_not_erased_by_starting_again(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    plan.callbacks = [Interrupt(7)]
    with pytest.raises(KeyboardInterrupt, match="with --resume continues from checkpoint-5"):
        train(plan)
    with pytest.raises(UserError, match="holds an unfinished run"):
        train(planned(tmp_path))
    train(planned(tmp_path, resume=True))
    assert json.loads((tmp_path / "run" / "run.json").read_text("utf8"))["status"] == "finished"


def test_a_full_disk_gives_one_line_and_keeps_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_save = torch.save

    def full_from_step_10(value: Any, path: Any) -> None:
        if "checkpoint-10" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        plain_save(value, path)

    monkeypatch.setattr(torch, "save", full_from_step_10)
    with pytest.raises(UserError, match=r"step 10 .*No space left on device.*checkpoint-5, is kept") as caught:
        train(planned(tmp_path))
    assert "\n" not in str(caught.value)
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["checkpoint-5"]
    monkeypatch.undo()
    train(planned(tmp_path, resume=True))


def test_the_best_model_by_the_evaluator_is_the_one_saved_and_its_loss_state_comes_back(tmp_path: Path) -> None:
    plan = planned(tmp_path, scores=[0.1, 0.9, 0.5, 0.4, 0.3], dropout=0.0)
    trained = train(plan)
    best = tmp_path / "run" / "checkpoints" / "checkpoint-10"
    expected = load_file(best / "model.safetensors")
    saved = load_file(tmp_path / "run" / "model.safetensors")
    assert all(torch.equal(tensor, saved[name]) for name, tensor in expected.items())
    assert torch.equal(trained[0].embedding.weight, next(iter(expected.values())))
    assert isinstance(plan.built.loss, HeadQueueLoss)
    assert torch.equal(plan.built.loss.queue, load_file(best / "loss.safetensors")["queue"])
    record = json.loads((tmp_path / "run" / "run.json").read_text("utf8"))
    assert record["best"] == {"metric": "toy", "value": 0.9, "step": 10}


def test_a_run_killed_after_its_last_evaluation_still_says_what_it_was_judged_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    scores = [0.1, 0.9, 0.5, 0.4, 0.3]
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "install", killed)
        with pytest.raises(KeyboardInterrupt):
            train(planned(tmp_path, scores=scores))
    train(planned(tmp_path, scores=scores, resume=True))
    record = json.loads((tmp_path / "run" / "run.json").read_text("utf8"))
    assert record["best"] == {"metric": "toy", "value": 0.9, "step": 10}


def test_the_last_step_is_evaluated_even_between_two_evaluations(tmp_path: Path) -> None:
    train(planned(tmp_path, scores=[0.1, 0.2, 0.3, 0.4, 0.5], arguments={"save_steps": 10}))
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text("utf8").splitlines()]
    assert [row["step"] for row in rows if "eval_toy" in row] == [10, 20, 24]


def test_only_the_last_and_the_best_checkpoint_stay_on_disk(tmp_path: Path) -> None:
    train(planned(tmp_path, scores=[0.9, 0.1]))
    names = {path.name for path in (tmp_path / "run" / "checkpoints").glob("checkpoint-*")}
    assert names == {"checkpoint-5", "checkpoint-24"}


def test_nothing_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(planned(tmp_path))
    assert capsys.readouterr() == ("", "")


def test_a_finished_folder_opens_with_load(finished: Path) -> None:
    assert load(finished / "run").encode(["w1"]).shape == (1, 8)
