"""Documents in a store: what is new, changed, moved, gone and unreadable; two sources; kills."""

from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from tests.search.test_indexing import kill_when

from selfsent.documents import Document, Skipped, open_documents
from selfsent.errors import UserError
from selfsent.loading import load
from selfsent.search import document_indexing, passage_rows
from selfsent.search.document_indexing import index_documents
from selfsent.search.indexing import IndexReport
from selfsent.search.passage_rows import PassageCutter
from selfsent.search.semantic_search import SemanticSearch
from selfsent.search.store import Store
from selfsent.search.store_writer import StoreWriter
from selfsent.words import Analyser

SLOW_INDEXING = """
import sys, time
from selfsent.documents import open_documents
from selfsent.loading import load
from selfsent.search.document_indexing import index_documents
from selfsent.search.store_writer import StoreWriter

model_path, source, store, stage = sys.argv[1:]
model = load(model_path, device="cpu")
encode, finish = model.encode_document, StoreWriter.finish

def slowly(*args, **kwargs):
    time.sleep(0.2)
    return encode(*args, **kwargs)

def never(*args, **kwargs):
    open(store + ".finishing", "w").close()
    time.sleep(600)

if stage == "finish":
    StoreWriter.finish = never
else:
    model.encode_document = slowly
index_documents(
    model, open_documents(source, unit="line"), store, model_path=model_path, source=source, rows_per_write=8
)
"""


@pytest.fixture
def model_path(tmp_path: Path, tiny_static_model: SentenceTransformer) -> Path:
    tiny_static_model.save_pretrained(str(tmp_path / "model"))
    return tmp_path / "model"


@pytest.fixture
def model(model_path: Path) -> SentenceTransformer:
    return load(model_path, device="cpu")


class Indexer:
    """Indexes folders into one store, and remembers which texts were encoded."""

    def __init__(self, model: SentenceTransformer, model_path: Path, store: Path) -> None:
        self.model, self.model_path, self.store = model, model_path, store
        self.encoded: list[str] = []
        encode = model.encode_document

        def encode_document(texts, **options):
            self.encoded += texts
            return encode(texts, **options)

        model.encode_document = encode_document

    def __call__(self, source: Path, **options) -> IndexReport:
        self.encoded.clear()
        documents = open_documents(source, unit="line", keep=options.get("keep", ()))
        return index_documents(
            self.model, documents, self.store, model_path=self.model_path, source=str(source), **options
        )

    def rows(self) -> list[dict]:
        rows = Store.open(self.store).table.search().to_arrow().to_pylist()
        return sorted(rows, key=lambda row: (row["document"], row["start"]))

    def texts(self) -> list[str]:
        return sorted(row["text"] for row in self.rows())


@pytest.fixture
def indexer(tmp_path, model, model_path) -> Indexer:
    return Indexer(model, model_path, tmp_path / "store")


def folder(path: Path, **files: str) -> Path:
    path.mkdir(exist_ok=True)
    for name, text in files.items():
        (path / f"{name}.md").write_text(text, encoding="utf8")
    return path


def changes(report: IndexReport) -> tuple[int, int, int, int]:
    return report.num_new, report.num_updated, report.num_removed, report.num_unchanged


def test_a_row_holds_its_document_title_offsets_and_place(tmp_path, indexer):
    source = folder(tmp_path / "notes", a="# Cats\n\nThe cat sleeps.", b="Dogs are running.")
    report = indexer(source)
    first, second = indexer.rows()
    assert (first["document"], first["title"], first["file"]) == ("a.md", "Cats", "a.md")
    assert first["text"] == open_texts(source)["a.md"][first["start"] : first["end"]]
    assert second["text"] == "Dogs are running."
    assert list(first) == [
        *("id", "text", "vector", "document", "title", "start", "end", "file", "line", "page", "package"),
        *("qualified_name", "words", "sources"),
    ]
    assert changes(report) == (2, 0, 0, 0)
    assert sorted(indexer.encoded) == sorted(f"{row['title']} {row['text']}".strip() for row in (first, second))
    np.testing.assert_allclose(second["vector"], indexer.model.encode("Dogs are running."), rtol=1e-5)


def open_texts(source: Path) -> dict[str, str]:
    return {document.id: document.text for document in open_documents(source)}


def test_no_passage_has_more_tokens_than_asked_for_and_nothing_of_a_document_is_lost(tmp_path, indexer):
    text = " ".join(f"The cat number {number} sleeps on the roof." for number in range(200))
    report = indexer(folder(tmp_path / "notes", a=text), max_tokens=40)
    rows = indexer.rows()
    assert report.num_texts == len(rows) > 20
    assert " ".join(row["text"] for row in rows).split() == text.split()
    tokenizer = indexer.model.tokenizer
    assert max(len(tokenizer.encode(row["text"], add_special_tokens=False).ids) for row in rows) <= 40


def test_the_same_documents_again_change_nothing(tmp_path, indexer):
    source = folder(tmp_path / "notes", a="The cat sleeps.", b="Dogs are running.")
    indexer(source, forget=True)
    version = Store.open(indexer.store).version
    report = indexer(source, forget=True)
    assert changes(report) == (0, 0, 0, 2)
    assert (report.num_added, indexer.encoded) == (0, [])
    assert Store.open(indexer.store).version == version


def test_of_a_changed_document_only_the_changed_passages_are_encoded_and_the_others_get_their_new_place(
    tmp_path, indexer
):
    kept = "The cat sleeps on the warm roof all night long."
    source = folder(tmp_path / "notes", a=f"A man is playing a guitar on the stage at night.\n\n{kept}", b="Dogs.")
    options = {"forget": True, "max_tokens": 30}
    indexer(source, **options)
    before = {row["text"]: row for row in indexer.rows()}
    folder(source, a=f"Someone quite different plays the guitar now.\n\n{kept}")
    report = indexer(source, **options)
    after = {row["text"]: row for row in indexer.rows()}
    assert changes(report) == (0, 1, 0, 1)
    assert set(after) == {"Someone quite different plays the guitar now.", kept, "Dogs."}
    assert kept not in " ".join(indexer.encoded)
    assert after[kept]["id"] == before[kept]["id"]
    assert after[kept]["vector"] == before[kept]["vector"]
    assert (before[kept]["start"], after[kept]["start"]) == (50, 47)
    assert open_texts(source)["a.md"][after[kept]["start"] : after[kept]["end"]] == kept


def test_what_has_gone_is_forgotten_only_when_asked_and_of_the_same_source_only(tmp_path, indexer):
    first = folder(tmp_path / "first", a="The cat sleeps.", b="Dogs are running.")
    second = folder(tmp_path / "second", a="The cat sleeps.", c="The engine failed.")
    indexer(first)
    indexer(second)
    assert len(indexer.rows()) == 4
    (first / "a.md").unlink()
    folder(first, b="Dogs run along the beach.")
    report = indexer(first)
    assert changes(report) == (0, 1, 0, 0)
    assert len(indexer.rows()) == 5
    report = indexer(first, forget=True)
    assert changes(report) == (0, 1, 1, 0)
    assert indexer.texts() == ["Dogs run along the beach.", "The cat sleeps.", "The engine failed."]
    search = SemanticSearch(indexer.store, words_only=True)
    assert [hit.text for hit in search.search("cat", mode="text")] == ["The cat sleeps."]


def test_a_source_is_known_again_after_it_was_moved_together_with_the_store(tmp_path, model, model_path):
    (tmp_path / "old").mkdir()
    indexer = Indexer(model, model_path, tmp_path / "old" / "store")
    indexer(folder(tmp_path / "old" / "notes", a="The cat.", b="The dog."))
    (tmp_path / "old").rename(tmp_path / "new")
    indexer.store = tmp_path / "new" / "store"
    (tmp_path / "new" / "notes" / "a.md").unlink()
    assert changes(indexer(tmp_path / "new" / "notes", forget=True)) == (0, 0, 1, 1)
    assert indexer.texts() == ["The dog."]


def test_documents_of_a_file_that_cannot_be_read_now_are_not_forgotten(tmp_path, indexer):
    source = folder(tmp_path / "notes", a="The cat.", b="The dog.", c="The man.")
    indexer(source)
    (source / "a.md").unlink()
    (source / "b.md").unlink()
    skipped = [Skipped(file="b.md", reason="no permission")]
    report = indexer(source, forget=True, skipped=skipped)
    assert changes(report) == (0, 0, 1, 1)
    assert indexer.texts() == ["The dog.", "The man."]


def test_kept_columns_have_the_type_of_their_values_and_follow_a_change(tmp_path, indexer):
    source = tmp_path / "table.jsonl"
    source.write_text(
        '{"_id": "x", "text": "The cat.", "year": 2019, "open": true, "tag": "a"}\n'
        '{"_id": "y", "text": "The dog.", "year": 2020, "open": false, "tag": 7}\n'
    )
    keep = ("year", "open", "tag")
    indexer(source, keep=keep)
    assert [[row[name] for name in keep] for row in indexer.rows()] == [[2019, True, "a"], [2020, False, "7"]]
    source.write_text(source.read_text().replace("2019", "2024"))
    report = indexer(source, keep=keep)
    assert (changes(report), indexer.encoded) == ((0, 1, 0, 1), [])
    search = SemanticSearch(indexer.store, device="cpu")
    hits = search.search("the", where="year > 2021")
    assert [(hit.document, hit.kept) for hit in hits] == [("x", {"year": 2024, "open": True, "tag": "a"})]
    source.write_text('{"_id": "x", "text": "The man.", "year": "soon"}\n')
    with pytest.raises(UserError, match="the column year of the store holds int64, and the source has 'soon' there"):
        indexer(source, keep=keep)


@pytest.mark.parametrize("at_once", [3, 100])
def test_a_new_line_at_the_top_moves_all_others_in_few_writes(tmp_path, indexer, monkeypatch, at_once):
    monkeypatch.setattr(document_indexing, "_SHIFTED_AT_ONCE", at_once)
    source = tmp_path / "table.jsonl"
    lines = [f'{{"_id": "{number}", "text": "The cat is {number}."}}\n' for number in range(8)]
    source.write_text("".join(lines))
    indexer(source, rows_per_write=2)
    update, num_written = StoreWriter.update, []

    def counting(writer, rows, columns):
        num_written.append(len(rows))
        update(writer, rows, columns)

    monkeypatch.setattr(StoreWriter, "update", counting)
    source.write_text('{"_id": "new", "text": "The cat is new."}\n' + "".join(lines))
    assert changes(indexer(source, rows_per_write=2)) == (1, 8, 0, 0)
    assert indexer.encoded == ["The cat is new."]
    assert {row["document"]: row["line"] for row in indexer.rows()} == {
        "new": 1,
        **{str(number): number + 2 for number in range(8)},
    }
    assert [number for number in num_written if number] == ([3, 4, 1] if at_once == 3 else [8])


@pytest.mark.parametrize("name", ["id", "vector", "two words"])
def test_a_column_that_the_store_needs_itself_cannot_be_kept(tmp_path, indexer, name):
    with pytest.raises(UserError, match="--keep cannot keep a column"):
        indexer(folder(tmp_path / "notes", a="The cat."), keep=(name,))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "at least 1"),
        ({"max_tokens": 0}, "max_tokens must be at least 1, got 0"),
        ({"fusion_weight": 1.5}, r"fusion_weight must be in \[0, 1\], got 1.5"),
    ],
)
def test_numbers_outside_their_range_are_refused(tmp_path, indexer, options, message):
    with pytest.raises(UserError, match=message):
        indexer(folder(tmp_path / "notes", a="The cat."), **options)


def test_the_weight_of_fusion_is_recorded_and_stays(tmp_path, indexer):
    source = folder(tmp_path / "notes", a="The cat.")
    indexer(source, fusion_weight=0.35)
    indexer(source)
    assert Store.open(indexer.store).record.fusion_weight == 0.35


def test_a_document_of_ten_thousand_passages_and_one_of_a_title_alone_are_indexed(tmp_path, model, model_path):
    text = "\n\n".join(f"The cat number {number}." for number in range(10_000))
    documents = [Document(id="long", text=text, title="Cats"), Document(id="bare", text="", title="A lonely guitar")]
    options = {"model_path": model_path, "source": "made", "max_tokens": 12}
    report = index_documents(model, documents, tmp_path / "store", **options)
    assert report.num_texts > 5_000
    assert changes(report) == (2, 0, 0, 0)
    found = SemanticSearch(tmp_path / "store", device="cpu").search("lonely guitar", 2)
    assert (found[0].document, found[0].title, found[0].text) == ("bare", "A lonely guitar", "")
    assert len(found) == 2


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["write", "finish"])
def test_an_indexing_that_is_killed_is_gone_on_with(tmp_path, model, model_path, stage):
    source, store = tmp_path / "a.txt", tmp_path / "store"
    source.write_text("".join(f"the cat number {number} sleeps\n" for number in range(200)))
    versions = store / "texts.lance" / "_versions"

    def is_far_enough() -> bool:
        if stage == "finish":
            return Path(f"{store}.finishing").exists()
        return versions.is_dir() and len(list(versions.iterdir())) >= 6

    environment = ["-c", SLOW_INDEXING, str(model_path), str(source), str(store), stage]
    kill_when(environment, is_far_enough)
    num_before = len(Store.open(store))
    assert num_before == 200 if stage == "finish" else 0 < num_before < 200
    with pytest.raises(UserError, match="has no index of words yet; run `selfsent index` again"):
        SemanticSearch(store, device="cpu").search("cat")
    report = Indexer(model, model_path, store)(source)
    assert (report.num_added, report.num_rows) == (200 - num_before, 200)
    assert len(SemanticSearch(store, device="cpu").search("cat", 1000, "text")) == 200


def words_of(store: Path) -> dict[str, str]:
    rows = Store.open(str(store)).table.search().select(["id", "words"]).to_arrow().to_pylist()
    return {row["id"]: row["words"] for row in rows}


def test_words_written_with_the_rows_are_those_that_are_found_at_the_end(tmp_path, model, model_path, monkeypatch):
    documents = [Document(id=str(n), text=f"The runners were running {n} races", title="Runs") for n in range(20)]
    options = {"model_path": model_path, "source": "x", "rows_per_write": 7}
    analyser = Analyser.of_corpus(f"{one.title} {one.text}" for one in documents)
    index_documents(model, documents, tmp_path / "early", **options)
    with monkeypatch.context() as as_before:  # versions that chose no language at first left the words to the end
        as_before.setattr(StoreWriter, "settle_language", lambda *_: None)
        index_documents(model, documents, tmp_path / "late", **options)
    assert analyser.language == "en"
    assert words_of(tmp_path / "early") == words_of(tmp_path / "late")
    assert "run" in next(iter(words_of(tmp_path / "early").values())).split()
    index_documents(model, documents, tmp_path / "early", **options, analyser=Analyser("de"))
    assert Store.open(str(tmp_path / "early")).record.analysis == analyser.to_json()


def test_the_language_is_that_of_the_first_documents_and_all_are_indexed(tmp_path, model, model_path, monkeypatch):
    monkeypatch.setattr(passage_rows, "NUM_LOOKED_AT", 12)
    english = [Document(id=f"e{n}", text=f"The runners were running {n} races with their friends") for n in range(15)]
    german = [Document(id=f"d{n}", text=f"Die Hunde schlafen {n} Stunden auf dem großen Teppich") for n in range(60)]
    updates: list[int] = []
    monkeypatch.setattr(StoreWriter, "update", lambda _, rows, __: updates.append(len(rows)))
    index_documents(model, [*english, *german], tmp_path / "store", model_path=model_path, source="x")
    store = Store.open(str(tmp_path / "store"))
    assert Analyser.from_json(store.record.analysis).language == "en"
    assert {row["document"] for row in store.table.search().to_arrow().to_pylist()} == {
        one.id for one in (*english, *german)
    }
    assert all(words_of(tmp_path / "store").values())
    assert sum(updates) == 0  # no row was written again


@pytest.mark.parametrize(("num_characters", "num_first"), [(1 << 26, 20), (25, 3), (1, 1)])
def test_few_long_documents_are_looked_at(monkeypatch, num_characters, num_first):
    monkeypatch.setattr(passage_rows, "_CHARACTERS_LOOKED_AT", num_characters)
    documents = iter([Document(id=str(number), text="ten letter") for number in range(20)])
    assert [one.id for one in passage_rows.first_documents(documents)] == [str(number) for number in range(num_first)]
    assert len(list(documents)) == 20 - num_first


def test_passages_are_the_same_whether_tokens_are_counted_together_or_alone(model, monkeypatch):
    texts = ["one two three. " * n for n in (1, 2, 9, 40)] + ["", "  spaced out \n"]
    documents = [Document(id=str(number), text=text, title="t") for number, text in enumerate(texts)]
    cutter = PassageCutter(model, 20)
    together = list(cutter.rows(documents))
    monkeypatch.setattr(cutter, "_counted", {})
    assert together == [cutter(document) for document in documents]
    assert [len(rows) for rows in together][:2] == [1, 1]
