"""The command line in a process of its own, for tests of what a command imports."""

import subprocess
import sys

HEAVY = ("torch", "sentence_transformers", "transformers", "lancedb", "numba", "datasets")
_PROGRAM = f"""
import atexit, sys
atexit.register(lambda: print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr))
from selfsent.cli import main
main()
"""


def run_cold(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own; standard error ends with the heavy modules it imported."""
    return subprocess.run([sys.executable, "-c", _PROGRAM, *arguments], capture_output=True, text=True, check=False)


def refused_at_once(*arguments: str) -> str:
    """Require exit code 2, one line and nothing heavy imported; give the line."""
    ended = run_cold(*arguments)
    assert ended.returncode == 2, ended
    line, imported = ended.stderr.splitlines()
    assert imported == "[]"
    assert line.startswith("error: ")
    return line
