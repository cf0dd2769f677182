import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from selfsent.compiler import compiled

_PROGRAM = """
from selfsent.compiler import compiled

@compiled()
def double(value):
    return 2 * value

@compiled()
def triple(value):
    return 3 * value

print(double(21), "cached" if double.stats.cache_path else "compiled anew")
"""


def run(program: Path, **environment: str) -> tuple[str, str]:
    """What the program writes, and what it warns of."""
    result = subprocess.run(
        [sys.executable, str(program)], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip(), result.stderr


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(_PROGRAM)
    return path


def test_machine_code_is_kept_where_a_cache_can_be_written(program: Path, tmp_path: Path):
    assert run(program, NUMBA_CACHE_DIR=str(tmp_path / "cache")) == ("42 cached", "")
    assert list((tmp_path / "cache").rglob("*.nbi"))


def test_a_machine_without_a_writable_cache_compiles_anew_and_says_so_once(program: Path, tmp_path: Path):
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    unwritable = {
        "NUMBA_CACHE_DIR": str(in_the_way / "cache"),
        "HOME": str(in_the_way),
        "XDG_CACHE_HOME": str(in_the_way),
    }
    only_there = {"NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator"}
    result, warning = run(program, **unwritable, **only_there)
    assert result == "42 compiled anew"
    assert len(warning.splitlines()) == 1
    assert "set NUMBA_CACHE_DIR" in warning


def test_compiled_code_keeps_not_a_number_and_infinity():
    @compiled()
    def largest(values: np.ndarray) -> float:
        best = -np.inf
        for value in values:
            if value > best:  # noqa: PLR1730 what max gives for NaN is another question
                best = value
        return best

    assert largest(np.array([np.nan, 1.0])) == 1.0
    assert largest(np.array([np.nan])) == -np.inf
    assert largest(np.array([1.0, np.inf])) == np.inf
