"""One writer a folder, across processes: refused by name, free after SIGKILL, and every bad place."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from selfsent.errors import UserError
from selfsent.one_writer import LOCK_FILE, one_writer

HOLD = """
import sys
from selfsent.one_writer import one_writer

with one_writer(sys.argv[1], "store"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "place")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_a_second_writer_is_refused_in_one_line_that_names_the_first(tmp_path, holder):
    message = rf"the store .*place is being written by process {holder.pid} on "
    with pytest.raises(UserError, match=message) as caught, one_writer(tmp_path / "place", "store"):
        pytest.fail("two writers")
    assert "\n" not in str(caught.value)


def test_a_writer_that_was_killed_holds_nothing(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with one_writer(tmp_path / "place", "store"):
        pass


def test_a_writer_that_has_ended_leaves_an_empty_lock_that_the_next_one_takes(tmp_path):
    for _ in range(2):
        with one_writer(tmp_path / "new" / "place", "store"):
            assert f"process {os.getpid()} " in (tmp_path / "new" / "place" / LOCK_FILE).read_text()
        assert (tmp_path / "new" / "place" / LOCK_FILE).read_text() == ""


def test_an_error_inside_the_block_lets_go_and_is_not_changed(tmp_path):
    with pytest.raises(FileNotFoundError, match="mine"), one_writer(tmp_path, "store"):
        raise FileNotFoundError("mine")
    with one_writer(tmp_path, "store"):
        pass


def test_this_process_cannot_hold_a_folder_twice_either(tmp_path):
    message = f"process {os.getpid()} "
    with one_writer(tmp_path, "run"), pytest.raises(UserError, match=message), one_writer(tmp_path, "run"):
        pytest.fail("two writers")


def test_a_folder_that_is_moved_while_it_is_held_is_no_error(tmp_path):
    with one_writer(tmp_path / "place", "store"):
        (tmp_path / "place").rename(tmp_path / "moved")
    assert not (tmp_path / "place").exists()


@pytest.mark.parametrize("place", ["file", "file/folder"])
def test_a_place_that_cannot_be_a_folder_is_refused_in_one_line(tmp_path, place):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match=r"cannot write the store") as caught, one_writer(tmp_path / place, "store"):
        pytest.fail("held a file")
    assert "\n" not in str(caught.value)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_disk_that_knows_no_locks_is_written_with_a_warning(tmp_path, monkeypatch, caplog):
    def acquire(*_):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(FileLock, "acquire", acquire)
    with one_writer(tmp_path, "store"):
        pass
    assert "knows no locks" in caplog.text
