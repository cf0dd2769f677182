"""A source read in parts gives the documents, the notes and the counts of one pass."""

import json
import pickle
from pathlib import Path

import pytest

from selfsent.documents import Document, Documents, open_documents
from selfsent.documents import parts as parts_file
from selfsent.documents.reading import Reading
from selfsent.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(5):
        (tmp_path / f"{number}.md").write_text(f"# Title {number}\n\nText {number}.")
    for name in ("1a", "4b"):
        (tmp_path / f"{name}.jsonl").write_text(
            "".join(json.dumps({"id": n, "text": f"{name} {n}"}) + "\n" for n in range(3))
        )
    (tmp_path / "3c.txt").write_text("one\ntwo\nthree\n")
    (tmp_path / "z.pdf").write_bytes(b"no pdf")
    (tmp_path / "z.xyz").write_bytes(b"?")
    return tmp_path


def read_in_parts(documents: Documents) -> list[Document]:
    found: list[Document] = []
    for part in documents.parts():
        for one in pickle.loads(pickle.dumps(part))():
            if isinstance(one, Reading):
                documents.take_in(one)
            else:
                found.append(one)
    return found


@pytest.mark.parametrize("files_a_part", [1, 2, 100])
def test_parts_together_are_one_pass(folder, monkeypatch, files_a_part):
    monkeypatch.setattr(parts_file, "_FILES_A_PART", files_a_part)
    whole, parted = open_documents(folder), open_documents(folder)
    expected, found = list(whole), read_in_parts(parted)
    assert sorted(map(repr, found)) == sorted(map(repr, expected))
    assert {"0", "1", "2", "0#2", "1#2", "2#2"} <= {document.id for document in found}
    assert (parted.num_documents, parted.num_files) == (whole.num_documents, whole.num_files)
    assert sorted(map(repr, parted.skipped)) == sorted(map(repr, whole.skipped))
    assert sorted(parted.notes) == sorted(whole.notes)


def test_large_files_have_parts_of_their_own(folder, monkeypatch):
    monkeypatch.setattr(parts_file, "_BYTES_A_PART", 1)
    assert len(open_documents(folder).parts()) == 5 + 1 + 1 + 2  # whole files, the text, all tables, what is not read


def test_a_limit_is_kept_by_one_part(folder):
    assert len(read_in_parts(open_documents(folder, max_rows=4))) == 4


def test_a_source_without_documents_is_refused_when_all_parts_are_read(tmp_path):
    (tmp_path / "a.pdf").write_bytes(b"no pdf")
    documents = open_documents(tmp_path)
    assert read_in_parts(documents) == []
    with pytest.raises(UserError, match="holds no document"):
        documents.require_some()
