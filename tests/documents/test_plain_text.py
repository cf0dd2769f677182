import gzip
import lzma
from pathlib import Path

import pytest
import zstandard

from selfsent.documents import plain_text
from selfsent.documents.document import Document
from selfsent.documents.plain_text import Unit, read_plain_text, sample_of, unit_of
from selfsent.documents.skipped import UnreadableError

PROSE = "It was a dark and stormy\nnight; the rain fell in\ntorrents, except at odd\nintervals, when it was\n"
SENTENCES = "".join(f"This is sentence number {number}.\n" for number in range(120))


def written(folder: Path, content: str | bytes, name: str = "a.txt") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, unit: Unit) -> list[Document]:
    return list(read_plain_text(path, "a.txt", sample_of(path), unit))


def units(path: Path) -> tuple[Unit, Unit]:
    """What a file is taken for alone, and among others."""
    sample = sample_of(path)
    return unit_of(sample, is_alone=True)[0], unit_of(sample, is_alone=False)[0]


@pytest.mark.parametrize(
    ("content", "alone", "among_others"),
    [
        (SENTENCES, "line", "line"),
        ("One sentence.\nAnother one.\n", "line", "document"),
        ("a short title\nquite a much longer title of something\nthird\n", "line", "document"),
        ("One\nparagraph.\n\nAnother.\n", "paragraph", "document"),
        (PROSE, "document", "document"),
        ("One line only", "document", "document"),
        ("你好。\n再见。\n", "line", "document"),
    ],
)
def test_auto_takes_what_a_person_would_expect(tmp_path: Path, content: str, alone: Unit, among_others: Unit) -> None:
    assert units(written(tmp_path, content)) == (alone, among_others)


def test_each_unit_knows_its_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "\n  One\ntwo \r\n\n \nThree\n")
    lines = read(path, "line")
    assert [(document.id, document.text, document.line) for document in lines] == [
        ("a.txt:2", "One", 2),
        ("a.txt:3", "two", 3),
        ("a.txt:6", "Three", 6),
    ]
    paragraphs = read(path, "paragraph")
    assert [(document.id, document.text, document.line) for document in paragraphs] == [
        ("a.txt:2", "One\ntwo", 2),
        ("a.txt:6", "Three", 6),
    ]
    (whole,) = read(path, "document")
    assert (whole.id, whole.text, whole.line) == ("a.txt", "One\ntwo \n\n \nThree", 2)
    assert whole.line_at(whole.text.index("Three")) == 6


@pytest.mark.parametrize("unit", ["line", "paragraph", "document"])
def test_no_document_is_larger_than_the_limit_and_nothing_is_lost(
    tmp_path: Path, unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_text, "MAX_CHARACTERS", 10)
    path = written(tmp_path, "aa bb\ncc dd ee\n\nf" + "é" * 25 + "\ngg\n")
    documents = read(path, unit)
    assert max(len(document.text) for document in documents) <= 10
    assert "".join("".join(document.text.split()) for document in documents) == "aabbccddeef" + "é" * 25 + "gg"
    assert len({document.id for document in documents}) == len(documents)
    assert [document.line for document in documents] == sorted(document.line or 0 for document in documents)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_encoding_is_found(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path, "Zoë’s café\nélan\n".encode(encoding))
    assert [document.text for document in read(path, "line")] == ["Zoë’s café", "élan"]
    assert sample_of(path).is_guessed == (encoding == "cp1252")


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [(".gz", gzip.compress), (".xz", lzma.compress), (".zst", zstandard.ZstdCompressor().compress)],
)
def test_a_compressed_file_is_read(tmp_path: Path, suffix: str, compress) -> None:
    path = written(tmp_path, compress(b"one\ntwo\n"), f"a.txt{suffix}")
    assert [document.text for document in read(path, "line")] == ["one", "two"]


def test_a_nul_byte_shows_a_binary_file_wherever_it_stands(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="binary"):
        sample_of(written(tmp_path, b"a\0b"))
    path = written(tmp_path, b"text\n" * 20_000 + b"\0\n")
    with pytest.raises(UnreadableError, match="binary"):
        read(path, "line")


def test_a_file_without_bytes_is_empty(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="empty"):
        sample_of(written(tmp_path, b""))
