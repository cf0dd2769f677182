"""The examples: each one runs to its end on its own small data, is short, and says what to install."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
NEEDS = {
    "build_and_search": "lancedb",
    "another_language": "lancedb",
    "own_labels": "lancedb",
    "encode_and_index": "lancedb",
    "tune": "optuna",
}


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_says_something(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    if path.stem in NEEDS:
        pytest.importorskip(NEEDS[path.stem])
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SELFSENT_DATA", raising=False)
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_and_begins_with_what_to_install(path: Path):
    text = path.read_text("utf8")
    assert len(text.splitlines()) < 40
    assert "pip install" in text.split('"""')[1]
