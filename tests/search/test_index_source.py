"""Which sources go into a store as documents, and which as bare texts."""

import shutil
from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer
from tests.search.test_store_writer import OLD

from selfsent.errors import UserError
from selfsent.loading import load
from selfsent.search.index_source import IndexRequest, index_source
from selfsent.search.store import Store

FILES = {
    "a.txt": "The cat sleeps.\nDogs run.\n",
    "notes/a.md": "# Cats\n\nThe cat sleeps.",
    "bare.jsonl": '{"text": "The cat."}\n',
    "titled.jsonl": '{"_id": "x", "title": "Cats", "text": "They sleep."}\n',
    "pairs.jsonl": '{"id": "x", "anchor": "A cat.", "positive": "The cat."}\n',
    "table.csv": "id,text,year\n7,The cat.,2019\n",
}


@pytest.fixture
def indexed(tmp_path: Path, tiny_static_model: SentenceTransformer):
    tiny_static_model.save_pretrained(str(tmp_path / "model"))
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    def indexed(source: str, store: str = "store", **options) -> list[dict]:
        request = IndexRequest(source=str(tmp_path / source), **options)
        index_source(tiny_static_model, request, str(tmp_path / store), model_path=str(tmp_path / "model"))
        return Store.open(tmp_path / store).table.search().to_arrow().to_pylist()

    return indexed


@pytest.mark.parametrize(
    ("source", "options", "documents"),
    [
        ("a.txt", {}, [None, None]),
        ("a.txt", {"unit": "line"}, ["a.txt:1", "a.txt:2"]),
        ("a.txt", {"unit": "document"}, ["a.txt"]),
        ("notes", {}, ["a.md"]),
        ("bare.jsonl", {}, [None]),
        ("titled.jsonl", {}, ["x"]),
        ("pairs.jsonl", {}, [None, None]),
        ("table.csv", {}, ["7"]),
    ],
)
def test_rows_with_an_id_or_a_title_and_files_of_documents_are_documents(indexed, source, options, documents):
    assert [row["document"] for row in indexed(source, **options)] == documents


def test_texts_are_forgotten_only_when_asked_and_not_while_another_source_holds_them(indexed, tmp_path):
    (tmp_path / "b.txt").write_text("Dogs run.\nA man.\n")
    indexed("a.txt")
    indexed("b.txt")
    (tmp_path / "a.txt").write_text("Rain fell.\n")
    assert len(indexed("a.txt")) == 4
    assert {row["text"] for row in indexed("a.txt", forget=True)} == {"Rain fell.", "Dogs run.", "A man."}
    (tmp_path / "b.txt").write_text("A man.\n")
    assert {row["text"] for row in indexed("b.txt", forget=True)} == {"Rain fell.", "A man."}


def test_rows_of_an_old_store_are_never_forgotten_and_its_tables_stay_texts(tmp_path):
    shutil.copytree(OLD, tmp_path / "old")
    model = load(tmp_path / "old" / "model", device="cpu")
    store, texts = tmp_path / "old" / "store", tmp_path / "old" / "texts.txt"
    table = tmp_path / "table.jsonl"
    table.write_text('{"_id": "x", "text": "A new text."}\n')
    for source in (table, texts):
        request = IndexRequest(source=str(source))
        index_source(model, request, str(store), model_path=str(tmp_path / "old" / "model"))
    rows = Store.open(store).table.search().to_arrow().to_pylist()
    assert {row["document"] for row in rows} == {None}
    assert len(rows) == 6
    texts.write_text("Something else.\n")
    request = IndexRequest(source=str(texts), forget=True)
    index_source(model, request, str(store), model_path=str(tmp_path / "old" / "model"))
    assert len(Store.open(store)) == 7


def test_forgetting_needs_the_whole_source(indexed):
    with pytest.raises(UserError, match="--forget needs the whole source"):
        indexed("notes", forget=True, max_rows=1)
