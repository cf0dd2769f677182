"""The front door: commands as a person types them, on a tiny corpus and a model trained once."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from transformers import PreTrainedTokenizerFast

from selfsent import cli
from selfsent.loading import load
from selfsent.training.trainer import ExactTrainer

SUBJECTS = ("the cat", "a dog", "my neighbour", "the committee", "an engineer")
VERBS = ("sees", "follows", "likes", "paints", "remembers")
OBJECTS = ("the garden", "a red door", "the long road", "a small boat")
TEXTS = [f"{' '.join(words)} every day" for words in itertools.product(SUBJECTS, VERBS, OBJECTS)]
TINY = ("--batch-size", "8", "--set", "channels=2", "--set", "channel_size=4", "--set", "vocab_size=200")
SHORT = (*TINY, "--max-steps", "100", "--set", "training.save_steps=20", "--device", "cpu")


@dataclass(frozen=True)
class Outcome:
    """What a command left behind; ``notes`` are the log's, which a terminal shows above the error."""

    code: int
    out: str
    err: str
    notes: str


Run = Callable[..., Outcome]


@pytest.fixture
def selfsent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> Run:
    """Run a command line in this process."""
    monkeypatch.delenv("SELFSENT_DATA", raising=False)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["selfsent", *map(str, arguments)])
        capsys.readouterr()
        caplog.clear()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), captured.out, captured.err, caplog.text)

    return run


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus, ``notes.txt``, and a tree model trained on it by the command line, ``model/``."""
    folder = tmp_path_factory.mktemp("home")
    notes = folder / "notes.txt"
    notes.write_text("\n".join(TEXTS) + "\n", "utf8")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SELFSENT_DATA", raising=False)
        command = ["selfsent", "train", "self-strae", "--data", str(notes), "--output", str(folder / "model"), *SHORT]
        patch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert not ended.value.code
    return folder


@pytest.fixture(scope="session")
def store(home: Path) -> Path:
    """The texts of ``notes.txt`` in a store."""
    pytest.importorskip("lancedb")
    with pytest.MonkeyPatch.context() as patch:
        place = home / "store"
        patch.setattr(
            sys, "argv", ["selfsent", "index", str(home / "model"), str(home / "notes.txt"), "--store", str(place)]
        )
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert not ended.value.code
    return place


def refused(outcome: Outcome, *words: str) -> None:
    """Require exit code 2 and one line, the error, that holds the words."""
    assert outcome.code == 2, outcome
    (error,) = outcome.err.splitlines()
    assert error.startswith("error: ")
    for word in words:
        assert word in error


def test_a_trained_folder_holds_a_model_that_the_host_opens_and_says_how_it_was_made(home: Path) -> None:
    record = json.loads((home / "model" / "run.json").read_text("utf8"))
    assert (record["status"], record["recipe"]["method"], record["step"]) == ("finished", "self-strae", 100)
    assert load(home / "model").encode(TEXTS[:3]).shape == (3, 8)
    assert [path.name for path in (home / "model").glob(".*")] == [".writer.lock"]


def test_evaluate_writes_the_report_that_scripts_rely_on(selfsent: Run, home: Path, tmp_path: Path) -> None:
    words = "word1\tword2\tscore\ncat\tdog\t7\nroad\tdoor\t2.5\nboat\tgarden\t1\nneighbour\tengineer\t4\n"
    for task in ("simlex999", "wordsim353_similarity", "wordsim353_relatedness"):
        (tmp_path / "lexical").mkdir(exist_ok=True)
        (tmp_path / "lexical" / f"{task}.tsv").write_text(words, "utf8")
    report = tmp_path / "report.json"
    done = selfsent("evaluate", home / "model", "--suite", "lexical", "--data-dir", tmp_path, "--json", report)
    assert done.code == 0, done
    assert "simlex999" in done.out
    content = json.loads(report.read_text("utf8"))
    task = content["tasks"]["simlex999"]
    assert {"model", "tasks", "averages", "versions"} <= set(content)
    assert (task["metric"], task["n"]) == ("spearman", 4)
    assert -1 <= task["ci95"][0] <= task["value"] <= task["ci95"][1] <= 1
    assert content["averages"]["lexical"] == pytest.approx(task["value"])


def test_encode_writes_what_the_model_gives(selfsent: Run, home: Path, tmp_path: Path) -> None:
    output = tmp_path / "vectors.npy"
    assert selfsent("encode", home / "model", home / "notes.txt", "--output", output).code == 0
    expected = load(home / "model", device="cpu").encode(TEXTS)
    np.testing.assert_allclose(np.load(output), expected, atol=1e-6)
    refused(selfsent("encode", home / "model", home / "notes.txt", "--output", output), "--overwrite")


def test_a_text_of_the_store_is_its_own_best_answer_in_every_mode(selfsent: Run, store: Path) -> None:
    for mode in ("vector", "text", "hybrid"):
        found = selfsent("search", store, TEXTS[7], "-k", "1", "--mode", mode)
        assert found.code == 0, found
        assert TEXTS[7] in found.out
        assert "notes.txt:8" in found.out


def test_indexing_the_same_texts_again_adds_nothing(selfsent: Run, home: Path, store: Path) -> None:
    again = selfsent("index", home / "model", home / "notes.txt", "--store", store)
    assert "0 of 100 texts added" in again.out


def test_tree_shows_every_word_in_order(selfsent: Run, home: Path, tmp_path: Path) -> None:
    bracketed = selfsent("tree", home / "model", "The cat sees a boat", "--format", "bracketed")
    leaves = re.findall(r"[^\s()]+(?=\))", bracketed.out)
    assert "".join(leaves) == "thecatseesaboat"
    assert bracketed.out.count("(") == bracketed.out.count(")") == 2 * len(leaves) - 1
    picture = tmp_path / "tree.svg"
    assert selfsent("tree", home / "model", "The cat sees", "--format", "svg", "--output", picture).code == 0
    assert picture.read_text("utf8").startswith("<svg")


def test_recipes_lists_what_is_shipped(selfsent: Run) -> None:
    assert "demo" in selfsent("recipes").out


def test_no_arguments_show_the_commands(selfsent: Run) -> None:
    shown = selfsent()
    assert shown.code == 0
    assert "train" in shown.out


def test_the_version_is_the_packages(selfsent: Run) -> None:
    assert selfsent("--version").out == f"selfsent {version('selfsent')}\n"


def test_a_training_that_is_interrupted_says_how_to_go_on(
    selfsent: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press_ctrl_c(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ExactTrainer, "training_step", press_ctrl_c)
    stopped = selfsent("train", "self-strae", "--data", home / "notes.txt", "--output", tmp_path / "out", *SHORT)
    assert stopped.code == 130
    (line,) = stopped.err.splitlines()
    assert "--resume" in line


SOURCES: dict[str, tuple[str, bytes | None, tuple[str, ...]]] = {
    "a missing source": ("nowhere.txt", None, ("no file or folder", "nowhere.txt")),
    "an empty source": ("empty.txt", b"", ("empty",)),
    "a binary file": ("binary.txt", b"\x7fELF\x00\x01\x02\x00" * 40, ("binary",)),
    "a malformed line": ("bad.jsonl", b'{"text": "fine and whole"}\n{"text": bro\n', ("bad.jsonl", "line 2")),
    "a missing column": ("other.jsonl", b'{"body": "no known column"}\n', ("body", "--columns")),
    "a format nobody knows": ("notes.xyz", b"text", (".jsonl", "notes.xyz")),
    "fewer sentences than a batch": ("few.txt", b"one two three four five\nsix seven eight nine\n", ("fewer", "8")),
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_that_cannot_be_trained_on_is_refused(selfsent: Run, tmp_path: Path, name: str) -> None:
    file, content, words = SOURCES[name]
    if content is not None:
        (tmp_path / file).write_bytes(content)
    outcome = selfsent("train", "self-strae", "--data", tmp_path / file, "--output", tmp_path / "out", *TINY)
    refused(outcome, *words)
    assert not (tmp_path / "out" / "modules.json").exists()


SETTINGS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "an option of no method": (("--set", "temprature=1"), ("temprature", "temperature")),
    "a value of the wrong type": (("--set", "max_tokens=many"), ("max_tokens", "whole number")),
    "an option that is no assignment": (("--set", "channels"), ("key=value",)),
    "an argument of no trainer": (("--set", "training.learning_rat=1"), ("learning_rat", "learning_rate")),
    "a temperature of zero": (("--set", "temperature=0"), ("temperature",)),
    "a negative learning rate": (("--learning-rate", "-1"), ("--learning-rate",)),
    "a negative number of epochs": (("--epochs", "-1"), ("--epochs",)),
    "a negative number of rows": (("--max-rows", "-1"), ("--max-rows",)),
    "a device that is not there": (("--device", "cuda:77"), ("cuda:77",)),
    "a device of no kind": (("--device", "abacus"), ("abacus",)),
    "a missing column": (("--columns", "body"), ("no column body",)),
    "a teacher it does not need": (("--teacher", "x"), ("--teacher",)),
    "missing evaluation data": (("--data-dir", "/no/such/folder"), ("/no/such/folder",)),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_wrong_setting_is_refused(selfsent: Run, home: Path, tmp_path: Path, name: str) -> None:
    extra, words = SETTINGS[name]
    notes = home / "notes.txt"
    outcome = selfsent("train", "self-strae", "--data", notes, "--output", tmp_path, *TINY, "--max-steps", "2", *extra)
    refused(outcome, *words)


def test_misspelt_names_are_answered_with_known_ones(selfsent: Run, home: Path, tmp_path: Path) -> None:
    data = ("--data", home / "notes.txt", "--output", tmp_path / "out")
    refused(selfsent("train", "self-strea", *data), "self-strae")
    refused(selfsent("train", "nothing.toml", *data), "nothing.toml")
    refused(selfsent("evaluate", home / "model", "--suite", "stss", "--data-dir", tmp_path), "sts", "lexical")
    refused(selfsent("evaluate", home / "model", "--split", "train"), "dev")
    refused(selfsent("serch", "a", "b"), "search")
    refused(selfsent("search", "a", "b", "--mod", "text"), "--mode")
    refused(selfsent("search", "a"), "selfsent search --help")


def test_an_output_that_cannot_be_written_is_refused(selfsent: Run, home: Path, tmp_path: Path) -> None:
    notes = home / "notes.txt"
    refused(
        selfsent("train", "self-strae", "--data", notes, "--output", notes / "out", *TINY), "cannot write", "--output"
    )
    refused(selfsent("encode", home / "model", notes, "--output", notes / "v.npy"), "cannot write")
    refused(selfsent("encode", home / "model", notes, "--output", tmp_path / "vectors.bin"), ".parquet")
    refused(selfsent("tree", home / "model", "a cat", "--output", notes / "tree.txt"), "cannot write")


def test_a_model_is_not_replaced_unasked(selfsent: Run, home: Path) -> None:
    before = (home / "model" / "model.safetensors").read_bytes()
    model = ("--data", home / "notes.txt", "--output", home / "model", *SHORT)
    refused(selfsent("train", "self-strae", *model), "already holds a model", "--overwrite")
    refused(selfsent("train", "self-strae", *model, "--resume", "--seed", "7"), "another recipe", "42 -> 7")
    refused(selfsent("train", "self-strae", *model, "--resume", "--overwrite"), "--resume and --overwrite")
    finished = selfsent("train", "self-strae", *model, "--resume")
    assert finished.code == 0
    assert "finished" in finished.notes
    assert (home / "model" / "model.safetensors").read_bytes() == before


@pytest.mark.slow
def test_a_training_killed_half_way_leaves_no_model_and_resumes_to_the_same_one(
    selfsent: Run, home: Path, tmp_path: Path
) -> None:
    output = tmp_path / "killed"
    command = ("train", "self-strae", "--data", str(home / "notes.txt"), "--output", str(output), *SHORT)
    process = subprocess.Popen([sys.executable, "-m", "selfsent", *command], stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(output.glob("checkpoints/checkpoint-*")):
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (output / "modules.json").exists()
    refused(selfsent("search", output, "x"))
    refused(selfsent("tree", output, "the cat"), "no model")
    refused(selfsent(*command), "unfinished run", "--resume")
    resumed = selfsent(*command, "--resume")
    assert resumed.code == 0, resumed
    assert "continuing from" in resumed.notes
    models = (load(folder, device="cpu").encode(TEXTS) for folder in (output, home / "model"))
    np.testing.assert_allclose(*models, atol=1e-6)


def test_a_store_is_not_used_with_another_model(
    selfsent: Run, home: Path, store: Path, tmp_path: Path, tiny_tokenizer: PreTrainedTokenizerFast
) -> None:
    other = tmp_path / "other"
    embedding = StaticEmbedding(tiny_tokenizer.backend_tokenizer, embedding_dim=16)
    SentenceTransformer(modules=[embedding], device="cpu").save_pretrained(str(other))
    refused(selfsent("index", other, home / "notes.txt", "--store", store), "8 dimensions", "16")
    refused(selfsent("search", store, "a dog", "--model", other), "8 dimensions", "16")
    refused(selfsent("tree", other, "a dog"), "no trees")


def test_a_query_that_cannot_be_answered_is_refused(selfsent: Run, home: Path, store: Path, tmp_path: Path) -> None:
    refused(selfsent("search", store, "  "), "query must not be empty")
    refused(selfsent("search", store, "a dog", "-k", "0"), "at least 1")
    refused(selfsent("search", tmp_path / "none", "a dog"), "no store", "selfsent index")
    refused(selfsent("search", home / "notes.txt", "a dog"), "file")
    refused(selfsent("tree", home / "model", ""), "no token")


def test_evaluation_data_that_is_not_there_is_named(selfsent: Run, home: Path, tmp_path: Path) -> None:
    refused(selfsent("evaluate", home / "model", "--suite", "sts", "--data-dir", tmp_path), "sts/STS12/test.jsonl")
    refused(selfsent("evaluate", home / "model", "--data-dir", tmp_path / "none"), "--data-dir")
    refused(selfsent("evaluate", tmp_path / "none", "--data-dir", tmp_path), "no model")


@pytest.mark.parametrize("command", ["encode", "index", "parse"])
def test_what_a_stray_quote_swallowed_is_told_by_every_command_that_reads(
    selfsent: Run, home: Path, tmp_path: Path, command: str
) -> None:
    source = tmp_path / "stray.csv"
    source.write_text("text\n" + "\n".join(TEXTS[:9]) + '\n"' + "\n".join(TEXTS[9:20]) + "\n", "utf8")
    trees = tmp_path / "trees.mrg"
    trees.write_text("\n".join(f"(S {' '.join(f'(X {word})' for word in text.split())})" for text in TEXTS[:9]), "utf8")
    typed = {
        "encode": ("encode", home / "model", source, "--output", tmp_path / "v.npy"),
        "index": ("index", home / "model", source, "--store", tmp_path / "store"),
        "parse": ("parse", source, "--trees", trees, "--output", tmp_path / "p.parquet"),
    }[command]
    refused(selfsent(*typed), "stray.csv, line 11", "--on-bad-row skip")
    done = selfsent(*typed, "--on-bad-row", "skip")
    assert done.code == 0, done
    assert "9 " in done.out
    assert "1 bad row" in done.notes
    assert "left out, the first:" in done.notes
    assert "stray.csv, line 11" in done.notes


def test_texts_that_only_a_search_by_words_finds_are_told(
    selfsent: Run, tmp_path: Path, tiny_tokenizer: PreTrainedTokenizerFast
) -> None:
    pytest.importorskip("lancedb")
    embedding = StaticEmbedding(tiny_tokenizer.backend_tokenizer, embedding_dim=8)
    embedding.embedding.weight.data[tiny_tokenizer.backend_tokenizer.encode("\u4e2d").ids] = 0
    SentenceTransformer(modules=[embedding], device="cpu").save_pretrained(str(tmp_path / "model"))
    (tmp_path / "notes.txt").write_text("the cat\n\u4e2d\n", "utf8")
    done = selfsent("index", tmp_path / "model", tmp_path / "notes.txt", "--store", tmp_path / "store")
    assert done.code == 0, done
    assert "knows no token of 1 of the added texts" in done.notes


def test_a_query_that_begins_with_a_minus_is_answered(selfsent: Run, store: Path) -> None:
    found = selfsent("search", store, "-k", "1", "--", "-5 the cat sees the garden")
    assert found.code == 0, found
    assert "notes.txt:" in found.out


def test_an_output_whose_name_looks_like_markup_is_written_and_named(selfsent: Run, home: Path, tmp_path: Path) -> None:
    output = tmp_path / "o" / "[" / "x]" / "v:key:2.npy"
    done = selfsent("encode", home / "model", home / "notes.txt", "--output", output)
    assert done.code == 0, done
    assert f"written to {output}\n" in done.out
    assert output.is_file()


def test_the_shell_completes_commands_options_and_values() -> None:
    def completed(words: str) -> list[str]:
        environment = {**os.environ, "_SELFSENT_COMPLETE": "complete_bash", "COMP_WORDS": f"selfsent {words}"}
        environment["COMP_CWORD"] = str(len(words.split(" ")))
        program = "import sys; from selfsent.cli import main; sys.argv = ['selfsent']; main()"
        shown = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        return shown.stdout.split()

    assert completed("enc") == ["encode"]
    assert completed("search store --whe") == ["--where"]
    assert completed("search store --mode ") == ["vector", "text", "hybrid"]
