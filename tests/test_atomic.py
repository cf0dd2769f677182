import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from selfsent.atomic import atomic_directory, atomic_path, write_text
from selfsent.errors import UserError

Writer = Callable[[Path], AbstractContextManager[Path]]
BOTH = pytest.mark.parametrize("aside_of", [atomic_path, atomic_directory], ids=["file", "folder"])


def fill(aside: Path, text: str):
    (aside / "content" if aside.is_dir() else aside).write_text(text)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def content(path: Path) -> str:
    return (path / "content" if path.is_dir() else path).read_text()


@BOTH
def test_it_is_there_when_the_block_ends_and_not_before(aside_of: Writer, tmp_path: Path):
    path = tmp_path / "deep" / "down" / "thing"
    with aside_of(path) as aside:
        fill(aside, "new")
        assert not path.exists()
    assert content(path) == "new"
    assert names(path.parent) == ["thing"]


@BOTH
def test_what_stood_there_is_replaced_as_a_whole(aside_of: Writer, tmp_path: Path):
    path = tmp_path / "thing"
    for text in ("old", "new"):
        with aside_of(path) as aside:
            fill(aside, text)
    assert content(path) == "new"
    assert names(tmp_path) == ["thing"]


@BOTH
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_what_was_there_and_nothing_else(
    aside_of: Writer, error: type[BaseException], tmp_path: Path
):
    path = tmp_path / "thing"
    with aside_of(path) as aside:
        fill(aside, "old")
    with pytest.raises(error), aside_of(path) as aside:  # noqa: PT012 the block is what is tested
        fill(aside, "half")
        raise error
    assert content(path) == "old"
    assert names(tmp_path) == ["thing"]


@BOTH
def test_a_full_disk_is_a_users_matter_and_loses_nothing(aside_of: Writer, tmp_path: Path):
    path = tmp_path / "thing"
    with aside_of(path) as aside:
        fill(aside, "old")
    with pytest.raises(UserError, match="No space left"), aside_of(path) as aside:  # noqa: PT012 the block is what is tested
        fill(aside, "half")
        raise OSError(28, "No space left on device")
    assert content(path) == "old"
    assert names(tmp_path) == ["thing"]


@BOTH
def test_a_parent_that_is_a_file_is_refused(aside_of: Writer, tmp_path: Path):
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    with pytest.raises(UserError, match="cannot write"), aside_of(in_the_way / "thing") as aside:
        fill(aside, "new")
    assert names(tmp_path) == ["file"]


def test_a_file_does_not_replace_a_folder(tmp_path: Path):
    (tmp_path / "thing").mkdir()
    with pytest.raises(UserError, match="cannot write"):
        write_text(tmp_path / "thing", "text")
    assert names(tmp_path) == ["thing"]
    assert (tmp_path / "thing").is_dir()


def test_a_folder_does_not_replace_a_file(tmp_path: Path):
    (tmp_path / "thing").write_text("precious")
    with pytest.raises(UserError, match="is a file"), atomic_directory(tmp_path / "thing") as aside:
        fill(aside, "new")
    assert names(tmp_path) == ["thing"]
    assert (tmp_path / "thing").read_text() == "precious"


def test_a_folder_that_cannot_be_installed_leaves_the_former_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "thing"
    with atomic_directory(path) as aside:
        fill(aside, "old")
    replace = Path.replace

    def failing(self: Path, target: Path) -> Path:
        if self.name.endswith(".part"):
            raise OSError(5, "Input/output error")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(UserError, match="Input/output error"), atomic_directory(path) as aside:
        fill(aside, "new")
    assert content(path) == "old"
    assert names(tmp_path) == ["thing"]


_KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from selfsent import atomic
with getattr(atomic, sys.argv[1])(Path(sys.argv[2])) as aside:
    (aside / "content" if aside.is_dir() else aside).write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@BOTH
def test_a_kill_leaves_what_was_there(aside_of: Writer, tmp_path: Path):
    path = tmp_path / "thing"
    with aside_of(path) as aside:
        fill(aside, "old")
    program = [sys.executable, "-c", _KILLED_WHILE_WRITING, aside_of.__name__, str(path)]
    assert subprocess.run(program, check=False).returncode == -signal.SIGKILL
    assert content(path) == "old"


def test_text_is_written_as_utf8(tmp_path: Path):
    write_text(tmp_path / "text", "Ünïcode … 日本\n")
    assert (tmp_path / "text").read_bytes() == "Ünïcode … 日本\n".encode()


def test_a_link_stays_and_what_it_points_to_is_replaced(tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "file")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "elsewhere" / "file").read_text() == "new"
    assert names(tmp_path / "elsewhere") == ["file"]


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(
        [sys.executable, "-c", f"print(open({str(pipe)!r}).read())"], stdout=subprocess.PIPE
    ) as reader:
        write_text(pipe, "through")
        received, _ = reader.communicate(timeout=60)
    assert received == b"through\n"
    assert pipe.is_fifo()
    assert names(tmp_path) == ["pipe"]


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no device that is always full")
def test_a_full_disk_is_one_line():
    with pytest.raises(UserError, match="No space left"):
        write_text(Path("/dev/full"), "text")
    assert Path("/dev/full").is_char_device()


def test_a_name_that_is_not_utf8_is_an_escape_that_json_reads_back(tmp_path: Path):
    name = os.fsdecode(b"caf\xe9.txt")
    write_text(tmp_path / "run.json", json.dumps({"data": name}, ensure_ascii=False))
    assert json.loads((tmp_path / "run.json").read_text("utf8")) == {"data": name}
