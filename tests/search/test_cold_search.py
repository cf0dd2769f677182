"""A search in a process of its own: what it imports, and that it answers as the table and the host do."""

import json
from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer
from tests.cold_process import run_cold
from tests.runtime.host_models import saved
from transformers import PreTrainedTokenizerFast

from selfsent.documents import open_documents
from selfsent.loading import load
from selfsent.search import semantic_search
from selfsent.search.document_indexing import index_documents
from selfsent.search.mapped_store import MappedStore
from selfsent.search.semantic_search import SemanticSearch


@pytest.fixture(scope="module", params=["tree", "static-normalised"])
def store(
    request: pytest.FixtureRequest, tiny_tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A store of documents, made by the host's model."""
    folder = tmp_path_factory.mktemp(request.param)
    model = saved(request.param, tiny_tokenizer, folder / "model", {"query": "the "})
    texts = [f"The cat number {number} sleeps on the warm roof. Rain fell over the hills." for number in range(30)]
    (folder / "notes").mkdir()
    for number, text in enumerate(texts):
        (folder / "notes" / f"{number}.md").write_text(text, "utf8")
    index_documents(
        model, open_documents(folder / "notes"), folder / "store", model_path=folder / "model", source="notes"
    )
    return folder / "store"


@pytest.fixture
def by_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Search by the table and the host."""
    monkeypatch.setattr(MappedStore, "find", classmethod(lambda cls, uri: None))  # noqa: ARG005 its own arguments
    monkeypatch.setattr(semantic_search, "open_to_encode", load)


ASKED = [
    ("warm cat", "hybrid", None),
    ("cat number 7", "text", None),
    ("rain on the hills", "vector", None),
    ("cat number 7", "hybrid", "file LIKE '1%'"),
]


@pytest.mark.parametrize(("query", "mode", "where"), ASKED)
def test_a_cold_search_imports_nothing_heavy_and_answers_as_the_table_and_the_host(
    store: Path, by_host: None, query: str, mode: str, where: str | None
) -> None:
    options = ["--json", "--mode", mode, *([] if where is None else ["--where", where])]
    ended = run_cold("search", str(store), query, *options)
    assert ended.returncode == 0
    assert ended.stderr.splitlines()[-1] == "[]"
    search = SemanticSearch(store, device="cpu")
    assert isinstance(search.model, SentenceTransformer)
    expected = search.answers([query], 5, mode, where=where)[0].to_json()
    found = json.loads(ended.stdout)
    assert len(found["hits"]) == 5
    for hit, other in zip(found["hits"], expected["hits"], strict=True):
        assert hit.pop("score") == pytest.approx(other.pop("score"), abs=1e-6)
        assert hit == other
    assert found["hidden"] == expected["hidden"]


def test_encode_index_and_tree_import_no_torch(store: Path, tmp_path: Path) -> None:
    model, notes = str(store.parent / "model"), str(store.parent / "notes")
    (tmp_path / "texts.txt").write_text("a warm cat\n", "utf8")
    commands = [
        ("encode", model, str(tmp_path / "texts.txt"), "--output", str(tmp_path / "vectors.npy")),
        ("index", model, notes, "--store", str(tmp_path / "store")),
    ]
    if (store.parent / "model" / "config.json").is_file():  # a tree model
        commands.append(("tree", model, "a warm cat sleeps"))
    for command in commands:
        ended = run_cold(*command)
        assert ended.returncode == 0, ended.stderr
        imported = ended.stderr.splitlines()[-1]
        assert "torch" not in imported
        assert "transformers" not in imported


def test_a_filter_that_only_lancedb_knows_is_answered_by_it(store: Path) -> None:
    ended = run_cold("search", str(store), "cat", "--json", "--where", "length(file) = 4")
    assert ended.returncode == 0
    assert all(len(hit["file"]) == 4 for hit in json.loads(ended.stdout)["hits"])
    assert "lancedb" in ended.stderr.splitlines()[-1]


def test_a_filter_that_cannot_be_used_is_refused_as_ever(store: Path) -> None:
    ended = run_cold("search", str(store), "cat", "--where", "nothing = 1")
    assert ended.returncode == 2
    assert "the filter 'nothing = 1' cannot be used" in ended.stderr


def test_a_store_of_an_earlier_version_is_searched_by_its_table() -> None:
    ended = run_cold("search", str(Path(__file__).parent / "store_of_6c19337" / "store"), "cat", "--json")
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["hits"]
    assert "torch" not in ended.stderr.splitlines()[-1]
    assert "lancedb" in ended.stderr.splitlines()[-1]


@pytest.mark.parametrize("arguments", [["search", "--help"], ["--version"], ["search", "nowhere", "cat"]])
def test_help_and_a_store_that_is_not_there_wait_for_nothing(arguments: list[str]) -> None:
    assert run_cold(*arguments).stderr.splitlines()[-1] == "[]"
