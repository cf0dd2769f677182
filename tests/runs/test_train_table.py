"""Recipes with many runs, on a method small enough to train in a blink."""

import json
import shutil
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tests.evaluation.evaluation_data import write_tsv

from selfsent import methods
from selfsent.errors import UserError
from selfsent.evaluation.comparison import runs as evaluated_runs
from selfsent.loading import model_content_hash
from selfsent.methods import Method
from selfsent.one_writer import one_writer
from selfsent.runs.train import train
from selfsent.runs.train_table import train_table
from selfsent.runs.train_table import train_table as train_table_function
from selfsent.training.run import Ingredients, Run, RunData

BASE = 'method = "tiny"\nseeds = [1, 2]\n[training]\nmax_steps = 2\nper_device_train_batch_size = 4\n'
GRID = f'{BASE}[grid]\n"training.learning_rate" = [0.01, 0.1]\n'
FOLDERS = [f"learning_rate={rate}-seed{seed}" for rate in (0.01, 0.1) for seed in (1, 2)]
IN_ORDER = [f"learning_rate={rate}-seed{seed}" for seed in (1, 2) for rate in (0.01, 0.1)]


@dataclass(frozen=True, kw_only=True)
class TinyConfig:
    scale: float = 20.0


@pytest.fixture(autouse=True)
def tiny_method(tiny_tokenizer: Any, sentences: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers a method that trains static embeddings on the sentences, and hides the shared data."""
    monkeypatch.delenv("SELFSENT_DATA", raising=False)

    def build(run: Run[TinyConfig], data: RunData) -> Ingredients:
        list(data.source)
        embedding = StaticEmbedding(tiny_tokenizer.backend_tokenizer, embedding_dim=8)
        model = SentenceTransformer(modules=[embedding], device="cpu")
        rows = Dataset.from_dict({"anchor": sentences[0::2], "positive": sentences[1::2]})
        loss = MultipleNegativesRankingLoss(model, scale=run.config.scale)
        return Ingredients(model=model, loss=loss, dataset=rows, heldout=rows)

    tiny = Method(name="tiny", summary="", config=TinyConfig, build=build, training=lambda _: {"use_cpu": True})
    monkeypatch.setitem(methods.METHODS, "tiny", tiny)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sweeps")


@pytest.fixture
def place(folder: Path) -> Path:
    """The same folder for every test, empty, for a run's record names where its data stood."""
    shutil.rmtree(folder / "place", ignore_errors=True)
    (folder / "place").mkdir()
    return folder / "place"


@pytest.fixture
def sweep(place: Path, sentences: list[str]) -> Callable[..., Any]:
    """Trains a recipe given as text into one folder."""
    (place / "corpus.txt").write_text("\n".join(sentences), encoding="utf8")

    def run(text: str = GRID, **overrides: Any) -> Any:
        (place / "sweep.toml").write_text(text, encoding="utf8")
        return train_table(str(place / "sweep.toml"), place / "corpus.txt", place / "out", **overrides)

    return run


@pytest.fixture
def swept(sweep: Any, folder: Path) -> Any:
    """The finished table of ``BASE``; trained once for all tests that go on from it."""
    kept = folder / "kept"
    if not kept.exists():
        sweep(BASE)
        shutil.copytree(folder / "place" / "out", kept)
    else:
        shutil.copytree(kept, folder / "place" / "out")
    return sweep


def read_table(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "out" / "table.json").read_text("utf8"))


def records(folder: Path) -> dict[str, Any]:
    return {name: json.loads((folder / "out" / name / "run.json").read_text("utf8")) for name in FOLDERS}


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(("table.", ".")))
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_arguments_that_change_no_figure_do_not_make_another_table(swept: Any, place: Path):
    before = snapshot(place / "out")
    swept(BASE, training={"save_total_limit": 99})
    assert snapshot(place / "out") == before
    with pytest.raises(UserError, match="holds the table of another recipe"):
        swept(BASE, training={"learning_rate": 0.5})


def break_off_at(call: int, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the training of one run end in an error, after it has begun."""
    module = __import__(train_table_function.__module__, fromlist=["train_run"])
    calls: list[int] = []
    train_run = module.train_run

    def breaking(settled: Any) -> Any:
        calls.append(1)
        if len(calls) == call:
            settled.folder.mkdir(parents=True)
            (settled.folder / "run.json").write_text('{"status": "running"}', encoding="utf8")
            raise error
        return train_run(settled)

    monkeypatch.setattr(module, "train_run", breaking)


def test_the_table_holds_mean_and_spread_of_the_best_metric_of_every_run(sweep: Any, place: Path) -> None:
    table = sweep()
    best = {name: record["best"]["value"] for name, record in records(place).items()}
    for line, first, second in zip(read_table(place)["rows"], FOLDERS[0::2], FOLDERS[1::2], strict=True):
        figure = line["figures"]["heldout_loss"]
        assert figure["values"] == [best[first], best[second]]
        assert figure["mean"] == pytest.approx((best[first] + best[second]) / 2)
        assert figure["sd"] == pytest.approx(statistics.stdev([best[first], best[second]]))
        assert (line["n"], line["seeds"], figure["n"]) == (2, [1, 2], 2)
        assert {"seconds", "tokens/s"} <= line["figures"].keys()
    assert read_table(place)["rows"] == json.loads(json.dumps(table.to_json()["rows"]))
    markdown = (place / "out" / "table.md").read_text("utf8")
    mean = statistics.fmean([best[FOLDERS[2]], best[FOLDERS[3]]])
    assert f"| learning_rate=0.1 | 2 | {mean:.4f} ± " in markdown
    assert "no test set was read" in markdown


def test_a_run_of_a_table_is_the_run_one_would_train_alone(sweep: Any, place: Path) -> None:
    sweep(BASE.replace("max_steps", "learning_rate = 0.1\nmax_steps"))
    training = {"max_steps": 2, "per_device_train_batch_size": 4, "learning_rate": 0.1}
    train("tiny", place / "corpus.txt", place / "alone", seed=2, training=training)
    assert model_content_hash(place / "alone") == model_content_hash(place / "out" / "sweep-seed2")
    assert model_content_hash(place / "alone") != model_content_hash(place / "out" / "sweep-seed1")


def test_a_finished_table_is_not_trained_again(swept: Any, place: Path) -> None:
    before, first = snapshot(place / "out"), read_table(place)
    again = swept(BASE)
    assert snapshot(place / "out") == before
    assert json.loads(json.dumps(again.to_json()["rows"])) == first["rows"]


def test_an_interrupted_table_goes_on_with_what_is_missing(
    sweep: Any, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        break_off_at(3, KeyboardInterrupt(), patch)
        with pytest.raises(KeyboardInterrupt):
            sweep()
    assert read_table(place)["missing"] == IN_ORDER[2:]
    assert [row["seeds"] for row in read_table(place)["rows"]] == [[1], [1]], "one whole seed comes first"
    assert "Not finished yet: learning_rate=0.01-seed2" in (place / "out" / "table.md").read_text("utf8")
    (place / "out" / IN_ORDER[2] / "run.json").unlink()
    before = snapshot(place / "out" / IN_ORDER[0])
    table = sweep()
    assert snapshot(place / "out" / IN_ORDER[0]) == before
    assert [len(line.outcomes) for line in table.lines] == [2, 2]
    assert not table.missing


def test_a_run_that_breaks_off_is_named_and_does_not_stop_the_others(
    sweep: Any, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_off_at(2, UserError("loss is nan"), monkeypatch)
    with pytest.raises(UserError, match=rf"1 of 4 runs failed \({IN_ORDER[1]}: loss is nan\)"):
        sweep()
    table = read_table(place)
    assert table["failed"] == {IN_ORDER[1]: "loss is nan"}
    assert [row["n"] for row in table["rows"]] == [2, 1]
    assert table["rows"][1]["figures"]["heldout_loss"]["sd"] is None
    assert f"Failed: {IN_ORDER[1]}: loss is nan" in (place / "out" / "table.md").read_text("utf8")


def test_a_run_counts_as_done_by_its_small_file_where_its_folder_is_not_there(swept: Any, place: Path) -> None:
    before = read_table(place)
    shutil.rmtree(place / "out" / "sweep-seed1")
    table = swept(BASE.replace("[1, 2]", "[1, 2, 3]"))
    assert not (place / "out" / "sweep-seed1").exists()
    assert not table.missing
    loss = table.lines[0].figures["heldout_loss"]
    assert loss.values[:2] == before["rows"][0]["figures"]["heldout_loss"]["values"]
    assert len(loss.values) == 3
    kept = json.loads((place / "out" / "runs" / "sweep-seed3.json").read_text("utf8"))
    assert kept["curve"][-1]["step"] == 2
    assert kept["curve"][-1]["heldout_loss"] == pytest.approx(loss.values[2], abs=1e-6)
    assert kept["curve"][-1]["uniformity"] < 0
    assert {"commit", "versions", "machine"} <= kept.keys()
    assert {"cpu", "num_threads"} <= kept["machine"].keys()
    assert "system" not in kept["machine"]


def test_small_files_alone_go_on_and_are_held_to_recipe_and_data(swept: Any, place: Path) -> None:
    """A fresh checkout holds ``runs/*.json`` and neither models nor, perhaps, the table."""
    for seed in (1, 2):
        shutil.rmtree(place / "out" / f"sweep-seed{seed}")
    (place / "out" / "table.json").unlink()
    assert len(swept(BASE).lines[0].outcomes) == 2
    assert not (place / "out" / "sweep-seed1").exists()
    (place / "out" / "table.json").unlink()
    with pytest.raises(UserError, match=r"every run: training\.max_steps: 2 -> 5"):
        swept(BASE.replace("max_steps = 2", "max_steps = 5"))
    (place / "corpus.txt").write_text("Something else.\nEntirely so.\n", encoding="utf8")
    with pytest.raises(UserError, match=r"corpus\.txt has changed since sweep-seed1 was trained on it"):
        swept(BASE.replace("[1, 2]", "[1, 2, 3]"))


def test_overwriting_trains_again_what_counted_as_done(swept: Any, place: Path) -> None:
    shutil.rmtree(place / "out" / "sweep-seed1")
    swept(BASE.replace("max_steps = 2", "max_steps = 1"), overwrite=True)
    kept = json.loads((place / "out" / "runs" / "sweep-seed1.json").read_text("utf8"))
    assert kept["identity"]["training"]["max_steps"] == 1


def test_a_changed_recipe_is_refused_and_the_change_named(swept: Any, place: Path) -> None:
    before = snapshot(place / "out")
    with pytest.raises(UserError, match=r"every run: training\.max_steps: 2 -> 5"):
        swept(BASE.replace("max_steps = 2", "max_steps = 5"))
    with pytest.raises(UserError, match="sweep-seed2 is not in it any more"):
        swept(BASE.replace("[1, 2]", "[1]"))
    assert snapshot(place / "out") == before


def test_a_seed_may_be_added_later(swept: Any, place: Path) -> None:
    before = snapshot(place / "out" / "sweep-seed1")
    (line,) = swept(BASE.replace("[1, 2]", "[1, 2, 3]")).lines
    assert [outcome.seed for outcome in line.outcomes] == [1, 2, 3]
    assert snapshot(place / "out" / "sweep-seed1") == before


def test_overwriting_trains_all_runs_anew(swept: Any, place: Path) -> None:
    swept(BASE.replace("max_steps = 2", "max_steps = 1"), overwrite=True)
    assert json.loads((place / "out" / "sweep-seed2" / "run.json").read_text("utf8"))["step"] == 1


def test_runs_on_changed_data_do_not_join_one_table(swept: Any, place: Path) -> None:
    (place / "corpus.txt").write_text("Something else.\nEntirely so.\n", encoding="utf8")
    with pytest.raises(UserError, match=r"corpus\.txt has changed since sweep-seed1 was trained on it"):
        swept(BASE.replace("[1, 2]", "[1, 2, 3]"))


def test_other_data_are_refused_where_runs_read_columns_of_the_recipes(sweep: Any) -> None:
    with pytest.raises(UserError, match="differ in data; leave it out of the command"):
        sweep(f'{BASE}[[run]]\nname = "a"\n[[run]]\nname = "b"\ncolumns = [1]\n')


def test_runs_may_differ_in_data_and_each_is_held_to_its_own(
    sweep: Any, place: Path, sentences: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "other.txt").write_text("\n".join(sentences[:5]), encoding="utf8")
    monkeypatch.setenv("SELFSENT_DATA", str(place))
    text = f'{BASE}[[run]]\nname = "all"\ndata = "corpus.txt"\n[[run]]\nname = "few"\ndata = "other.txt"\n'
    with pytest.raises(UserError, match="differ in data; leave it out of the command"):
        sweep(text)
    train_table(str(place / "sweep.toml"), None, place / "out")
    files = (place / f"out/{name}-seed1/run.json" for name in ("all", "few"))
    of_all, of_few = (json.loads(file.read_text("utf8"))["data_hashes"].values() for file in files)
    assert list(of_all) != list(of_few)
    before = snapshot(place / "out")
    train_table(str(place / "sweep.toml"), None, place / "out")
    assert snapshot(place / "out") == before
    (place / "other.txt").write_text("another text\n", encoding="utf8")
    (place / "sweep.toml").write_text(text.replace("[1, 2]", "[1, 2, 3]"), encoding="utf8")
    with pytest.raises(UserError, match=r"other\.txt has changed since few-seed1 was trained on it"):
        train_table(str(place / "sweep.toml"), None, place / "out")


@pytest.mark.parametrize(
    ("method", "options", "training"),
    [
        ("document-contrast", "width = 4\n", "num_train_epochs = 1\n"),
        ("simcse", 'view = "document"\nhead = "none"\n', "max_steps = 1\n"),
    ],
)
def test_a_table_of_runs_on_documents_goes_on_where_it_stopped(
    place: Path, method: str, options: str, training: str
) -> None:
    """Each run reads the documents without the parts that ask, which is no hash of the texts."""
    things = ("river", "engine", "garden", "violin")
    (place / "notes").mkdir()
    for number in range(8):
        sentences = (f"The {things[number % 4]} of place {number} is part {part} of it." for part in range(4))
        (place / "notes" / f"{number}.md").write_text(f"# Note {number}\n\n{' '.join(sentences)}\n", "utf8")

    def run(seeds: str, **changes: Any) -> Any:
        text = f'method = "{method}"\nseeds = {seeds}\n[options]\n{options}[training]\n{training}'
        (place / "two.toml").write_text(f"{text}per_device_train_batch_size = 4\n", "utf8")
        base = "static"
        return train_table(str(place / "two.toml"), place / "notes", place / "out", base=base, device="cpu", **changes)

    run("[1]")
    before = snapshot(place / "out")
    table = run("[1, 2]")
    assert [outcome.seed for outcome in table.lines[0].outcomes] == [1, 2]
    after = snapshot(place / "out")
    assert {path: after[path] for path in before} == before
    assert not list(place.glob("out/*/.corpus"))
    (place / "notes" / "0.md").write_text("# Other\n\nAnother thing. It is new here. Nobody knew it.\n", "utf8")
    with pytest.raises(UserError, match="has changed since"):
        run("[1, 2, 3]")


def test_suites_are_scored_once_on_the_final_models(sweep: Any, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [["guitar", "stage", "7.3"], ["cat", "roof", "2"], ["rain", "hills", "5.5"], ["budget", "dogs", "0.1"]]
    for task in ("simlex999", "wordsim353_similarity", "wordsim353_relatedness"):
        write_tsv(place / f"data/lexical/{task}.tsv", [["word1", "word2", "score"], *pairs])
    monkeypatch.setenv("SELFSENT_DATA", str(place / "data"))
    recipe = f'evaluate = "lexical"\n{BASE}'
    table = sweep(recipe)
    monkeypatch.setattr(evaluated_runs, "evaluate", None)  # a second scoring would fail
    again = sweep(recipe)
    assert again.to_json() == table.to_json()
    figures = table.lines[0].figures
    suite = ["simlex999", "wordsim353_similarity", "wordsim353_relatedness", "lexical"]
    assert list(figures)[:5] == ["heldout_loss", *suite], "the metric of training stands beside what is evaluated"
    report = json.loads((place / "out" / "sweep-seed2" / "evaluation" / "lexical.json").read_text("utf8"))
    assert figures["simlex999"].values[1] == report["tasks"]["simlex999"]["value"]
    assert figures["lexical"].values[1] == pytest.approx(report["averages"]["lexical"])


@pytest.mark.parametrize(
    ("text", "overrides", "message"),
    [
        (BASE.replace("seeds = [1, 2]\n", ""), {}, "is one run; add seeds"),
        (GRID, {"seed": 3}, "names its seeds; leave out --seed 3"),
        (GRID, {"training": {"learning_rate": 1}}, r"differ in training\.learning_rate; leave it out of the command"),
        (f"{BASE}[grid]\nscales = [1]\n", {}, "tiny has no option scales; did you mean scale"),
        (f'{BASE}[grid]\n"training.lr" = [1]\n', {}, r"training\.lr is not an argument of the trainer"),
        (f'evaluate = "sts,nonsense"\n{BASE}', {}, "no suite named nonsense"),
        (f'evaluate = "sts"\n{BASE}', {}, "name it with --data-dir"),
        (GRID.replace('"tiny"', '"tinny"'), {}, "names the method 'tinny'"),
    ],
)
def test_what_cannot_be_run_is_refused_before_any_training(
    text: str, overrides: dict[str, Any], message: str, sweep: Any, place: Path
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        sweep(text, **overrides)
    assert "\n" not in str(caught.value)
    assert not (place / "out").exists()


def test_one_run_and_many_runs_have_entries_of_their_own(sweep: Any, place: Path) -> None:
    (place / "sweep.toml").write_text(GRID, encoding="utf8")
    with pytest.raises(UserError, match="has many runs and gives a table"):
        train(str(place / "sweep.toml"), place / "corpus.txt", place / "out")


def test_a_folder_that_holds_a_model_takes_no_table(sweep: Any, place: Path) -> None:
    training = {"max_steps": 1, "per_device_train_batch_size": 4}
    train("tiny", place / "corpus.txt", place / "out", training=training)
    with pytest.raises(UserError, match="holds a model; name another --output"):
        sweep()


def test_a_folder_that_is_somebody_elses_takes_no_table(sweep: Any, place: Path) -> None:
    (place / "out").mkdir()
    (place / "out" / "thesis.tex").write_text("mine", encoding="utf8")
    for overwrite in (False, True):
        with pytest.raises(UserError, match=r"out holds thesis\.tex and no table of runs"):
            sweep(BASE, overwrite=overwrite)
    assert [path.name for path in (place / "out").iterdir()] == ["thesis.tex"]


def test_a_table_is_filled_by_one_process_at_a_time(sweep: Any, place: Path) -> None:
    with one_writer(place / "out", "table of runs"), pytest.raises(UserError, match="is being written by process"):
        sweep(BASE)
    assert not (place / "out" / "table.json").exists()


def test_damaged_records_of_a_table_are_named_with_what_to_do_and_can_be_overwritten(swept: Any, place: Path) -> None:
    table, record = place / "out" / "table.json", place / "out" / "sweep-seed2" / "run.json"
    whole = record.read_bytes()
    record.write_bytes(whole[:40])
    with pytest.raises(
        UserError, match=r"sweep-seed2.run\.json is not readable .*or delete .*sweep-seed2, and the same"
    ):
        swept(BASE)
    table.write_bytes(table.read_bytes()[:40])
    with pytest.raises(UserError, match=r"table\.json is damaged .*delete it, and the same command writes it anew"):
        swept(BASE)
    table.unlink()
    record.write_bytes(whole)
    assert [line.figures["heldout_loss"].values for line in swept(BASE).lines], "as the message says"
    record.write_bytes(b"")
    table.write_bytes(b"")
    swept(BASE.replace("max_steps = 2", "max_steps = 1"), overwrite=True)
    assert json.loads(record.read_text("utf8"))["step"] == 1


def test_missing_data_stops_the_table_at_once(sweep: Any, place: Path) -> None:
    (place / "corpus.txt").unlink()
    with pytest.raises(UserError, match=r"corpus\.txt"):
        sweep()
    assert read_table(place)["failed"] == {}
