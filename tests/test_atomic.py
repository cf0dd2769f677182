import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from selfsent.atomic import atomic_path, write_text
from selfsent.errors import UserError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_is_there_when_the_block_ends_and_not_before(tmp_path: Path):
    path = tmp_path / "deep" / "down" / "thing"
    with atomic_path(path) as aside:
        aside.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert names(path.parent) == ["thing"]


def test_what_stood_there_is_replaced_as_a_whole(tmp_path: Path):
    path = tmp_path / "thing"
    for text in ("old", "new"):
        with atomic_path(path) as aside:
            aside.write_text(text)
    assert path.read_text() == "new"
    assert names(tmp_path) == ["thing"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_what_was_there_and_nothing_else(error: type[BaseException], tmp_path: Path):
    path = tmp_path / "thing"
    with atomic_path(path) as aside:
        aside.write_text("old")
    with pytest.raises(error), atomic_path(path) as aside:  # noqa: PT012 the block is what is tested
        aside.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["thing"]


def test_a_full_disk_is_a_users_matter_and_loses_nothing(tmp_path: Path):
    path = tmp_path / "thing"
    with atomic_path(path) as aside:
        aside.write_text("old")
    with pytest.raises(UserError, match="No space left"), atomic_path(path) as aside:  # noqa: PT012 the block is what is tested
        aside.write_text("half")
        raise OSError(28, "No space left on device")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["thing"]


def test_a_parent_that_is_a_file_is_refused(tmp_path: Path):
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    with pytest.raises(UserError, match="cannot write"), atomic_path(in_the_way / "thing") as aside:
        aside.write_text("new")
    assert names(tmp_path) == ["file"]


def test_a_file_does_not_replace_a_folder(tmp_path: Path):
    (tmp_path / "thing").mkdir()
    with pytest.raises(UserError, match="cannot write"):
        write_text(tmp_path / "thing", "text")
    assert names(tmp_path) == ["thing"]
    assert (tmp_path / "thing").is_dir()


_KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from selfsent import atomic
with atomic.atomic_path(Path(sys.argv[1])) as aside:
    aside.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_leaves_what_was_there(tmp_path: Path):
    path = tmp_path / "thing"
    with atomic_path(path) as aside:
        aside.write_text("old")
    program = [sys.executable, "-c", _KILLED_WHILE_WRITING, str(path)]
    assert subprocess.run(program, check=False).returncode == -signal.SIGKILL
    assert path.read_text() == "old"


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
