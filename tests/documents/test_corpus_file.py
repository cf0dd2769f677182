"""Documents written to disk and read back."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from selfsent.documents.corpus_file import CorpusFile, is_corpus_file, write_corpus
from selfsent.documents.document import Document, Heading
from selfsent.errors import UserError

FULL = Document(
    id="notes/a b.md",
    title="Rüben",
    text="Head\n\nx = 1\n\nRüben wachsen.",
    file="notes/a b.md",
    line=3,
    page_starts=(0, 12),
    headings=(Heading(start=0, end=4, level=2),),
    code_spans=((6, 11),),
    line_marks=((0, 3), (6, 5)),
    kept=(("year", 2019), ("author", "Ü"), ("open", True)),
)
BARE = Document(id="pkg.f", text="", title="A title alone", package="pkg", qualified_name="pkg.f")


def test_documents_come_back_as_they_were_written_and_as_often_as_wanted(tmp_path: Path):
    documents = [FULL, BARE, *(Document(id=str(number), text=f"text {number}") for number in range(1200))]
    corpus = write_corpus(iter(documents), tmp_path / "corpus.parquet")
    assert list(corpus) == documents
    assert list(CorpusFile(tmp_path / "corpus.parquet")) == documents
    assert len(corpus) == len(documents)


def test_a_corpus_file_is_a_table_of_id_title_and_text(tmp_path: Path):
    write_corpus([FULL, BARE], tmp_path / "corpus.parquet")
    table = pq.read_table(tmp_path / "corpus.parquet", columns=["id", "title", "text"])
    assert table.to_pylist()[1] == {"id": "pkg.f", "title": "A title alone", "text": ""}


def test_no_documents_make_an_empty_corpus(tmp_path: Path):
    assert list(write_corpus([], tmp_path / "corpus.parquet")) == []


def test_another_parquet_file_is_no_corpus_file(tmp_path: Path):
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"text": ["a"]}), other)
    assert not is_corpus_file(other)
    assert not is_corpus_file(tmp_path / "absent.parquet")
    with pytest.raises(UserError, match=r"must be a corpus file that `selfsent build` wrote"):
        CorpusFile(other)
