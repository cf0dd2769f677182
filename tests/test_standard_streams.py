"""Standard streams that are closed, full, read in part, or of an encoding that lacks a character."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WORK = """
import sys
from selfsent.standard_streams import lost_output, open_streams
open_streams()
from selfsent.printed_text import show
for number in range(3000):
    show(f"line {number} ├── 東京 ±")
print("a note", file=sys.stderr)
open(sys.argv[1], "w").write(str(lost_output()))
"""


def shell(
    command: str, *arguments: object, encoding: str = "utf8", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which "$@" is Python and its arguments."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment}
    words = ["bash", "-c", command, "bash", sys.executable, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, encoding=encoding, env=variables, check=False)


CLOSED = {
    "closed output": ('"$@" >&-', "None"),
    "closed error": ('"$@" 2>&- >/dev/null', "None"),
    "everything closed": ('"$@" >&- 2>&- <&-', "None"),
    "a reader that goes": ('"$@" | head -1; exit ${PIPESTATUS[0]}', "None"),
    "a full disk": ('"$@" >/dev/full', "No space left on device"),
    "a full disk for errors": ('"$@" >/dev/null 2>/dev/full', "None"),
}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("name", CLOSED)
def test_work_goes_on_to_its_end_whatever_happens_to_the_streams(name: str, tmp_path: Path) -> None:
    command, lost = CLOSED[name]
    done = shell(command, "-c", WORK, tmp_path / "done")
    assert (tmp_path / "done").read_text("utf8") == lost
    assert done.returncode == 0, done
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("ascii", "line 0 |-- \\u6771\\u4eac +-"),
        ("latin-1", "line 0 |-- \\u6771\\u4eac ±"),
        ("utf8", "line 0 ├── 東京 ±"),
    ],
)
def test_a_character_that_an_encoding_lacks_is_written_in_ascii(encoding: str, expected: str, tmp_path: Path) -> None:
    done = shell('"$@" | head -1', "-c", WORK, tmp_path / "done", encoding=encoding, PYTHONIOENCODING=encoding)
    assert done.stdout == f"{expected}\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_the_command_line_says_so_where_its_output_is_lost() -> None:
    full = shell('"$@" >/dev/full', "-m", "selfsent", "--version")
    assert full.returncode == 2
    (line,) = full.stderr.splitlines()
    assert "standard output cannot be written to (No space left on device)" in line
    for command in ('"$@" >&-', '"$@" | head -1; exit ${PIPESTATUS[0]}'):
        done = shell(command, "-m", "selfsent", "--help", PYTHONIOENCODING="ascii")
        assert (done.returncode, done.stderr) == (0, "")


def test_a_wrong_command_has_its_exit_code_where_no_error_can_be_shown() -> None:
    assert shell('"$@" 2>&-', "-m", "selfsent", "serch").returncode == 2
    shown = shell('"$@"', "-m", "selfsent", "serch", "\x1b[31m")
    assert (shown.returncode, shown.stderr.count("\n")) == (2, 1)


def test_a_file_opened_while_output_is_closed_does_not_get_the_output(tmp_path: Path) -> None:
    script = WORK.replace("open_streams()", "open_streams()\nfile = open(sys.argv[2], 'w')", 1)
    shell('"$@" >&- 2>&-', "-c", script, tmp_path / "done", tmp_path / "file")
    assert (tmp_path / "file").read_text("utf8") == ""


def test_a_name_that_is_not_utf8_goes_into_json_and_back(tmp_path: Path) -> None:
    from selfsent.atomic import write_text

    name = os.fsdecode(b"m\xff")
    write_text(tmp_path / "report.json", json.dumps({"model": name}, ensure_ascii=False))
    assert json.loads((tmp_path / "report.json").read_text("utf8"))["model"] == name
