import gzip
import json
import lzma
import os
import shutil
import subprocess
import sys
from pathlib import Path

import docx
import pytest
from tests.documents.made_files import archive, epub, pdf

from selfsent.documents import REASONS, Document, Documents, open_documents
from selfsent.documents import file_reader as file_reader_module
from selfsent.errors import UserError

NOTEBOOK = json.dumps({"cells": [{"cell_type": "markdown", "source": "# Note\n\nA cell."}]})
ROWS = '{"_id": "r1", "title": "Row", "text": "One."}\n{"_id": "r2", "text": "Two."}\n'


def write(folder: Path, **contents: str | bytes) -> Path:
    """Write files; two underscores stand for a dot."""
    for name, content in contents.items():
        path = folder / name.replace("__", ".")
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def skipped(documents: Documents) -> dict[str, str]:
    return {one.file: one.reason for one in documents.skipped}


def texts(documents: Documents) -> dict[str, str]:
    return {document.id: document.text for document in documents}


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    word = docx.Document()
    word.add_paragraph("From Word.")
    word.save(str(tmp_path / "word.docx"))
    return write(
        tmp_path,
        a__md="# Title\n\nMarkdown.",
        b__rst="Title\n=====\n\nStructured.",
        c__html="<title>Page</title><p>Hypertext.",
        d__txt="Plain\ntext.\n\nOf two paragraphs.",
        e__pdf=pdf([["Portable."]]),
        f__epub=epub({"one": "<p>A book.</p>"}, title="Book", spine=["one"]),
        g__ipynb=NOTEBOOK,
        h__jsonl__xz=lzma.compress(ROWS.encode()),
        i__md__gz=gzip.compress(b"Packed."),
        j__csv='id,title,text\n9,T,"a, b"\n',
    )


def test_a_folder_of_mixed_files_is_read_as_documents(mixed: Path) -> None:
    documents = open_documents(mixed)
    found = {document.id: (document.title, document.text) for document in documents}
    assert found == {
        "a.md": ("Title", "Markdown."),
        "b.rst": ("Title", "Structured."),
        "c.html": ("Page", "Hypertext."),
        "d.txt": ("", "Plain\ntext.\n\nOf two paragraphs."),
        "e.pdf": ("", "Portable."),
        "f.epub": ("Book", "A book."),
        "g.ipynb": ("Note", "A cell."),
        "r1": ("Row", "One."),
        "r2": ("", "Two."),
        "i.md.gz": ("", "Packed."),
        "9": ("T", "a, b"),
        "word.docx": ("", "From Word."),
    }
    assert (documents.num_files, documents.num_documents, documents.skipped) == (11, 12, [])


def test_documents_can_be_read_again_and_say_where_they_stand(mixed: Path) -> None:
    documents = open_documents(mixed)
    assert list(documents) == list(documents)
    by_id = {document.id: document for document in documents}
    assert (by_id["r2"].file, by_id["r2"].line) == ("h.jsonl.xz", 2)
    assert (by_id["a.md"].file, by_id["a.md"].line, by_id["e.pdf"].page_starts) == ("a.md", 3, (0,))


def test_one_file_is_a_source_and_is_named_by_its_name(tmp_path: Path) -> None:
    write(tmp_path, a__md="Text.")
    assert texts(open_documents(tmp_path / "a.md")) == {"a.md": "Text."}


def test_a_beir_corpus_has_its_ids_and_titles(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl.xz"
    path.write_bytes(lzma.compress(b'{"_id": "4983", "title": "A title", "text": ""}\n'))
    assert list(open_documents(path)) == [Document(id="4983", title="A title", text="", file="corpus.jsonl.xz", line=1)]


def test_ids_that_rows_share_are_told_apart(tmp_path: Path) -> None:
    write(
        tmp_path, a__jsonl='{"id": "1", "text": "a"}\n{"id": "1", "text": "b"}\n', b__jsonl='{"id": "1", "text": "c"}\n'
    )
    assert texts(open_documents(tmp_path)) == {"1": "a", "1#2": "b", "1#3": "c"}


def test_the_unit_of_plain_text_is_chosen_and_said(tmp_path: Path) -> None:
    write(tmp_path, a__txt="One.\n\nTwo\nlines.\n")
    documents = open_documents(tmp_path / "a.txt")
    assert texts(documents) == {"a.txt:1": "One.", "a.txt:3": "Two\nlines."}
    assert documents.notes == [
        "each paragraph is a document (blank lines stand between its paragraphs; `--unit` says otherwise): a.txt"
    ]
    assert texts(open_documents(tmp_path / "a.txt", unit="document")) == {"a.txt": "One.\n\nTwo\nlines."}
    by_line = open_documents(tmp_path / "a.txt", unit="line")
    assert (list(texts(by_line)), by_line.notes) == (["a.txt:1", "a.txt:3", "a.txt:4"], [])


def test_what_is_said_of_many_files_is_said_once(tmp_path: Path) -> None:
    for number in range(7):
        (tmp_path / f"{number}.txt").write_bytes(b"caf\xe9 au lait\n")
    documents = open_documents(tmp_path)
    assert len(list(documents)) == 7
    assert documents.notes[0] == ("not valid UTF-8, read as Windows-1252: 0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 2 more")
    assert len(documents.notes) == 2


def test_max_rows_ends_early(mixed: Path) -> None:
    assert [document.id for document in open_documents(mixed, max_rows=3)] == ["a.md", "b.rst", "c.html"]


def test_the_output_in_the_midst_of_the_source_is_left_out(mixed: Path) -> None:
    (mixed / "out").mkdir()
    write(mixed / "out", report__html="<p>Report.")
    documents = open_documents(mixed, exclude=[mixed / "out"])
    assert "out/report.html" not in texts(documents)


# What is wrong with files


def test_each_file_that_cannot_be_read_is_named_with_its_reason_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a photo.jpg").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "gone.md").symlink_to(tmp_path / "nowhere")
    bomb = archive({"word/document.xml": bytes(40 * 2**20)})
    write(
        tmp_path,
        good__md="Text.",
        secret__pdf=pdf([["x"]], password="p"),
        scanned__pdf=pdf([[]]),
        broken__pdf=b"%PDF-1.4 and no more",
        broken__docx=b"PK\x03\x04 and no more",
        old__docx=b"\xd0\xcf\x11\xe0" + bytes(50),
        bomb__docx=bomb,
        empty__md="",
        blank__txt=" \n\n ",
        none__html="<script>x</script>",
        binary__txt=b"a\0b",
        binary__md=b"a\0b",
        broken__ipynb="{",
        other__ipynb="{}",
        cut__txt__gz=gzip.compress(os.urandom(2000))[:1000],
        names__csv="body,year\nx,1\n",
        names__jsonl='{"body": "x"}\n',
        header__csv="id,text\n",
        broken__parquet=b"PAR1",
    )
    documents = open_documents(tmp_path)
    assert "good.md" in texts(documents)
    assert skipped(documents) == {
        "images/a photo.jpg": "unknown format",
        "gone.md": "broken",
        "secret.pdf": "password",
        "scanned.pdf": "no text in it (scanned?)",
        "broken.pdf": "broken",
        "broken.docx": "broken",
        "old.docx": "password",
        "bomb.docx": "too large when unpacked",
        "empty.md": "empty",
        "blank.txt": "empty",
        "none.html": "empty",
        "binary.txt": "binary",
        "binary.md": "binary",
        "broken.ipynb": "broken",
        "other.ipynb": "broken",
        "cut.txt.gz": "broken",
        "names.csv": "unknown columns",
        "header.csv": "empty",
        "names.jsonl": "unknown columns",
        "broken.parquet": "broken",
    }
    assert {one.reason for one in documents.skipped} <= set(REASONS)
    assert documents.num_files == 21


def test_a_file_without_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, a__md="One.", b__md="Two.", c__txt="Three.", d__jsonl='{"text": "Four."}\n')
    opened = Path.open

    def open_or_refuse(path: Path, *arguments: object, **options: object):
        if path.name in {"b.md", "c.txt", "d.jsonl"}:
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **options)  # pyright: ignore[reportArgumentType, reportCallIssue]

    monkeypatch.setattr(Path, "open", open_or_refuse)
    documents = open_documents(tmp_path)
    assert texts(documents) == {"a.md": "One."}
    assert skipped(documents) == dict.fromkeys(["b.md", "c.txt", "d.jsonl"], "no permission")


@pytest.mark.skipif(os.name == "nt", reason="modes of files are Unix's")
def test_the_system_refuses_a_file_and_a_folder_and_both_are_named(tmp_path: Path) -> None:
    write(tmp_path, a__md="One.", b__md="Two.")
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "c.md").write_text("Three.", "utf8")
    for refused in (tmp_path / "b.md", tmp_path / "closed"):
        refused.chmod(0)
    without_rights: list[str] = []
    if os.geteuid() == 0:  # root reads everything, unless it gives these two rights up
        if shutil.which("setpriv") is None:
            pytest.skip("root may read everything, and setpriv is not here")
        without_rights = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    program = (
        "from selfsent.documents import open_documents; import sys; found = open_documents(sys.argv[1]);"
        "print([one.id for one in found], sorted((one.file, one.reason) for one in found.skipped))"
    )
    try:
        command = [*without_rights, sys.executable, "-c", program, str(tmp_path)]
        ran = subprocess.run(command, check=True, capture_output=True, text=True)
    finally:
        (tmp_path / "closed").chmod(0o700)
    assert ran.stdout == "['a.md'] [('b.md', 'no permission'), ('closed', 'no permission')]\n"


def test_a_file_that_vanishes_while_the_folder_is_read_is_named(tmp_path: Path) -> None:
    write(tmp_path, a__md="One.", b__md="Two.", c__md="Three.")
    documents = open_documents(tmp_path)
    found: list[str] = []
    for document in documents:
        found.append(document.id)
        (tmp_path / "b.md").unlink(missing_ok=True)
    assert found == ["a.md", "c.md"]
    assert [(one.file, one.reason, one.detail) for one in documents.skipped] == [
        ("b.md", "changed while it was read", "it is gone")
    ]


def test_a_file_that_changes_once_is_read_again_and_one_that_keeps_changing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, once__md="Old.", always__md="Old.", still__md="Text.")
    read = file_reader_module.read_whole_file
    num_reads: dict[str, int] = {}

    def read_and_change(path: Path) -> object:
        blocks = read(path)
        number = num_reads[path.name] = num_reads.get(path.name, 0) + 1
        if path.name == "always.md" or (path.name == "once.md" and number == 1):
            path.write_text(f"New and longer{'!' * number}")
        return blocks

    monkeypatch.setattr(file_reader_module, "read_whole_file", read_and_change)
    documents = open_documents(tmp_path)
    assert texts(documents) == {"once.md": "New and longer!", "still.md": "Text."}
    assert skipped(documents) == {"always.md": "changed while it was read"}


def test_a_table_that_grows_while_it_is_read_is_named_with_what_was_read(tmp_path: Path) -> None:
    write(tmp_path, a__jsonl='{"text": "a"}\n{"text": "b"}\n')
    documents = open_documents(tmp_path)
    for _ in documents:
        with (tmp_path / "a.jsonl").open("a") as file:
            file.write(" " * 100)
    assert [(one.reason, one.detail) for one in documents.skipped] == [
        ("changed while it was read", "2 documents of it were read")
    ]


def test_a_reader_that_is_not_installed_is_named_with_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, a__txt="Text.", b__html="<p>x")
    monkeypatch.setitem(__import__("sys").modules, "selectolax.lexbor", None)
    documents = open_documents(tmp_path)
    assert texts(documents) == {"a.txt": "Text."}
    assert [(one.reason, one.detail) for one in documents.skipped] == [
        ("reader not installed", "it needs selectolax.lexbor: pip install 'selfsent[files]'")
    ]


def test_bad_rows_stop_or_are_counted(tmp_path: Path) -> None:
    write(tmp_path, a__jsonl='{"text": "a"}\n{"text": 3}\n', b__md="Text.")
    with pytest.raises(UserError, match=r"a\.jsonl, line 2: column text holds int"):
        list(open_documents(tmp_path))
    documents = open_documents(tmp_path, on_bad_row="skip")
    assert list(texts(documents)) == ["a.jsonl:1", "b.md"]
    assert documents.num_bad_rows == 1
    assert documents.first_bad_row == "a.jsonl, line 2: column text holds int, not a text"


@pytest.mark.parametrize(
    "name", ["with spaces.md", "на русском.md", "日本語.md", "quote'\".md", os.fsdecode(b"latin\xe9.md")]
)
def test_a_file_of_any_name_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("Text.")
    (document,) = open_documents(tmp_path)
    assert document.text == "Text."
    assert document.id.encode().decode() == document.file


def test_documents_that_are_all_equal_are_all_read(tmp_path: Path) -> None:
    write(tmp_path, a__md="Same.", b__md="Same.", c__txt="Same.")
    documents = list(open_documents(tmp_path))
    assert len({document.id for document in documents}) == 3
    assert len({document.content_hash for document in documents}) == 1


def test_a_document_of_a_million_words_is_one_document(tmp_path: Path) -> None:
    text = "\n".join(["seven words stand on each such line"] * 150_000)
    write(tmp_path, a__txt=text, b__md="x")
    assert texts(open_documents(tmp_path))["a.txt"] == text


def test_an_unexpected_failure_of_a_reader_costs_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, a__md="One.", b__md="Two.")
    read = file_reader_module.read_whole_file

    def fail(path: Path) -> object:
        if path.name == "a.md":
            raise RecursionError("too deep\nsecond line")
        return read(path)

    monkeypatch.setattr(file_reader_module, "read_whole_file", fail)
    documents = open_documents(tmp_path)
    assert texts(documents) == {"b.md": "Two."}
    assert [(one.reason, one.detail) for one in documents.skipped] == [("broken", "too deep")]


# What is wrong with the request


def test_a_source_of_nothing_that_can_be_read_says_why(tmp_path: Path) -> None:
    write(tmp_path, a__pdf=pdf([["x"]], password="p"), b__md="", c__md="")
    with pytest.raises(UserError) as refused:
        list(open_documents(tmp_path))
    assert str(refused.value) == (
        f"{tmp_path} holds no document that can be read: 2 x empty, 1 x password; "
        "the first is a.pdf (password: save it without one)"
    )


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], r"holds no file; name one with documents, \.txt"),
        (
            ["a.jpg", "b.JPG", "c.png"],
            r"holds 3 files \(2 of \.jpg, 1 of \.png\), none of a known format; known are \.txt",
        ),
    ],
)
def test_a_folder_without_documents_is_refused_at_once(tmp_path: Path, names: list[str], message: str) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"\xff")
    with pytest.raises(UserError, match=message):
        open_documents(tmp_path)


def test_a_source_that_is_missing_or_unknown_is_refused_at_once(tmp_path: Path) -> None:
    write(tmp_path, a__xyz="x")
    os.mkfifo(tmp_path / "pipe.txt")
    for name, message in (
        ("gone", "no file or folder at"),
        ("a.xyz", "cannot tell the format"),
        ("pipe.txt", "not a regular file"),
    ):
        with pytest.raises(UserError, match=message):
            open_documents(tmp_path / name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "page"}, "unit must be one of auto, line, paragraph, document, got 'page'"),
        ({"max_rows": 0}, "max_rows must be at least 1, got 0"),
        ({"on_bad_row": "mend"}, "on_bad_row must be stop or skip, got 'mend'"),
        ({"columns": []}, "columns must name at least one column"),
    ],
)
def test_a_wrong_option_is_refused(tmp_path: Path, options: dict[str, object], message: str) -> None:
    write(tmp_path, a__md="x")
    with pytest.raises(UserError, match=message):
        open_documents(tmp_path, **options)  # pyright: ignore[reportArgumentType]


def test_a_data_set_of_the_hub_is_read_as_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"title": "T", "text": "One.", "id": 4}, {"title": "", "text": "Two.", "id": 5}]
    monkeypatch.setattr("selfsent.documents.hub_rows.hub_records", lambda _: lambda *_: iter(enumerate(rows, 1)))
    assert list(open_documents("hf:some/set")) == [
        Document(id="4", title="T", text="One.", file="some/set", line=1),
        Document(id="5", title="", text="Two.", file="some/set", line=2),
    ]


def test_a_data_set_whose_columns_are_not_known_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfsent.documents.hub_rows.hub_records", lambda _: lambda *_: iter([(1, {"body": "x"})]))
    with pytest.raises(UserError, match="hf:some/set: unknown columns: line 1: the columns are body"):
        list(open_documents("hf:some/set"))
