"""Where a command takes a model, it takes the folder of a build too."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.command_line import typed
from tests.runtime.host_models import saved
from transformers import PreTrainedTokenizerFast

from selfsent.documents import open_documents
from selfsent.front_door import encode
from selfsent.search.built_model import model_of
from selfsent.search.document_indexing import index_documents

pytest.importorskip("lancedb")


@pytest.fixture(scope="module")
def built(tiny_tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a build leaves: a tree model, and a store of passages that it made."""
    folder = tmp_path_factory.mktemp("build")
    (folder / "notes.md").write_text("The cat sleeps on the warm roof. Rain fell over the hills.", "utf8")
    model = saved("tree", tiny_tokenizer, folder / "model", {})
    documents = open_documents(folder / "notes.md")
    index_documents(model, documents, folder / "store", model_path=folder / "model", source="notes")
    return folder


def test_the_model_of_a_build_is_the_one_that_its_store_records(built: Path, tmp_path: Path):
    assert model_of(built) == str(built / "model")
    moved = tmp_path / "moved"
    moved.mkdir()
    (moved / "store").symlink_to(built / "store")
    assert model_of(moved) == str(built / "model")  # a build of a ready model has none of its own


def test_a_store_a_model_and_a_name_are_left_as_they_are(built: Path):
    for name in (str(built / "store"), str(built / "model"), "bert-base-uncased", "nowhere/at/all"):
        assert model_of(name) == name


def test_commands_that_take_a_model_take_a_build(built: Path, tmp_path: Path):
    (tmp_path / "texts.txt").write_text("a warm cat\n", "utf8")
    commands = [
        ("encode", tmp_path / "texts.txt", "--output", tmp_path / "vectors.npy"),
        ("index", tmp_path / "texts.txt", "--store", tmp_path / "store"),
        ("tree", "a warm cat sleeps"),
        ("export", "--format", "int8", "--output", tmp_path / "small"),
    ]
    for command, *rest in commands:
        ended = typed(command, built, *rest)
        assert ended.code == 0, ended.err
    by_model = encode(built / "model", tmp_path / "texts.txt", tmp_path / "other.npy")
    assert by_model.num_texts == 1
    np.testing.assert_array_equal(np.load(tmp_path / "vectors.npy"), np.load(tmp_path / "other.npy"))


def test_a_build_is_evaluated_by_its_model(built: Path, tmp_path: Path):
    rows = [("a warm cat", "a cat on a roof", 4), ("rain fell", "it rained", 5), ("two dogs", "the budget", 0)]
    lines = [json.dumps({"sentence1": one, "sentence2": other, "score": score}) for one, other, score in rows]
    (tmp_path / "pairs.jsonl").write_text("\n".join(lines), "utf8")
    ended = typed("evaluate", built, "--pairs", tmp_path / "pairs.jsonl", "--json", tmp_path / "report.json")
    assert ended.code == 0, ended.err
    assert json.loads((tmp_path / "report.json").read_text("utf8"))["model"] == str(built / "model")
