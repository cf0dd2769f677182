import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from selfsent.data.source_files import expanded, files_below, readable_name
from selfsent.data.sources import open_source
from selfsent.errors import UserError

LATIN_1_NAME = os.fsdecode(b"caf\xe9.txt")


def write(path: Path, content: str = "no\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf8")
    return path


def test_a_home_folder_is_found_wherever_a_source_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "a.txt", "one\n")
    assert list(open_source("~/a.txt").texts()) == ["one"]
    assert [row["target"] for row in open_source("parallel:en=~/a.txt,de=~/a.txt")] == ["one"]
    assert expanded("~nobody-of-this-name/a.txt") == Path("~nobody-of-this-name/a.txt")


@pytest.mark.parametrize("spec", ["", "  "])
def test_a_source_without_a_name_is_refused_instead_of_reading_the_current_folder(spec: str) -> None:
    with pytest.raises(UserError, match="the name of the source is empty"):
        open_source(spec)


def test_a_name_that_is_too_long_for_any_file_is_one_line() -> None:
    with pytest.raises(UserError, match=r"no file or folder at x+\.\.\. \(5,000 characters\)"):
        open_source("x" * 5000)


def test_a_name_that_is_not_utf8_becomes_text_that_can_be_written(tmp_path: Path) -> None:
    (tmp_path / LATIN_1_NAME).write_text("one\n")
    (tmp_path / os.fsdecode(b"\xff.pdf")).write_text("x")
    for spec in (tmp_path, tmp_path / LATIN_1_NAME):
        source = open_source(spec)
        assert [row["file"] for row in source] == ["caf\\xe9.txt"]
        "".join(source.notes).encode("utf8")
    assert open_source(tmp_path).notes == ["files not read, of no known format: \\xff.pdf"]
    assert readable_name(Path("Grüße.txt")) == "Grüße.txt"


def test_a_pipe_is_refused_by_its_name_and_left_out_of_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "one\n")
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(UserError, match=r"pipe\.txt is a pipe, and a source is read more than once"):
        open_source(tmp_path / "pipe.txt")
    with pytest.raises(UserError, match=r"pipe\.txt is a pipe"):
        open_source(f"parallel:{tmp_path / 'pipe.txt'}")
    source = open_source(tmp_path)
    assert list(source.texts()) == ["one"]
    assert "in a circle, or a closed folder: pipe.txt" in source.notes[0]


def test_linked_folders_are_read_once_and_circles_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "notes" / "a.txt", "one\n")
    write(tmp_path / "notes" / "in" / "b.txt", "two\n")
    write(tmp_path / "far" / "c.txt", "three\n")
    for name, target in {"far": "../far", "again": "in", "up": "..", "in/back": "..", "gone.txt": "nowhere"}.items():
        (tmp_path / "notes" / name).symlink_to(target)
    source = open_source(tmp_path / "notes")
    assert [(row["file"], row["text"]) for row in source] == [
        ("a.txt", "one"),
        ("far/c.txt", "three"),
        ("in/b.txt", "two"),
    ]
    assert source.notes[-1].endswith("a closed folder: gone.txt, in/back, up")


def test_what_this_package_wrote_into_a_folder_is_no_source_of_it(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "one\n")
    for mark in ("model/modules.json", "run/run.json", "store/texts.lance/data.txt"):
        write(tmp_path / mark)
        write(tmp_path / mark.partition("/")[0] / "metrics.jsonl", '{"loss": 1.0}\n')
    encoded = pa.table({"id": ["0"], "text": ["one"], "embedding": [[0.5]]})
    pq.write_table(encoded, tmp_path / "vectors.parquet")
    source = open_source(tmp_path)
    assert list(source.texts()) == ["one"]
    assert source.notes == ["not read, written by selfsent itself: model, run, store, vectors.parquet"]
    assert list(open_source(tmp_path / "vectors.parquet").texts()) == ["one"]
    (tmp_path / "a.txt").unlink()
    assert list(open_source(tmp_path).texts()) == ["one"]


def test_the_output_of_the_work_that_reads_a_folder_can_be_left_out(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "one\n")
    write(tmp_path / "out" / "b.txt")
    write(tmp_path / "c.txt")
    assert files_below(tmp_path, [tmp_path / "out", f"{tmp_path}/out/../c.txt"]).files == [tmp_path / "a.txt"]
    assert list(open_source(tmp_path, exclude=[tmp_path / "out", tmp_path / "c.txt", "s3://bucket"]).texts()) == ["one"]
    assert open_source(tmp_path / "c.txt", exclude=[tmp_path / "c.txt"]).columns == ("text",)
