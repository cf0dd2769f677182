"""What a release is made of: the distributions, the version, and the small models."""

import importlib.util
import json
import tomllib
from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer
from tests.command_line import typed
from tools import artefacts, release

import selfsent

ROOT = Path(__file__).parents[1]


def test_the_version_is_said_alike_everywhere():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]["version"]
    assert selfsent.__version__ == declared
    assert typed("--version").out == f"selfsent {declared}\n"
    assert f"## [{declared}]" in (ROOT / "CHANGELOG.md").read_text("utf8")


@pytest.mark.skipif(importlib.util.find_spec("hatchling") is None, reason="hatchling, the build backend, is not there")
def test_the_sdist_holds_what_building_and_testing_need(tmp_path: Path):
    wheel, sdist = release.built(tmp_path)
    names = release.contents(sdist)
    assert set(release.OF_THE_SDIST) <= names
    assert {"tools/site/__main__.py", "docs/index.md", "tests/conftest.py", "zensical.toml"} <= names
    assert not any(name.startswith(("site/", "build/", ".venv/")) for name in names)
    assert "selfsent/recipes/tree-10m.toml" in release.contents(wheel)


def test_the_small_models_of_a_release_are_made_with_their_cards(
    tmp_path: Path, sentences: list[str], tiny_static_model: SentenceTransformer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("SELFSENT_DATA", raising=False)
    teacher, texts = tmp_path / "teacher", tmp_path / "notes.jsonl"
    tiny_static_model.save_pretrained(str(teacher))
    rows = [json.dumps({"text": f"{text} {n}"}) for n in range(12) for text in sentences]
    texts.write_text("\n".join(rows), encoding="utf8")
    asked = artefacts.requests(str(texts), str(teacher), tmp_path / "made", max_rows=None, max_steps=1)
    folders = [artefacts.make(request) for request in asked]
    assert [folder.name for folder in folders] == ["tree-10m", "static-student"]
    tree_card, student_card = ((folder / "README.md").read_text("utf8") for folder in folders)
    assert "TreeEncoder" in tree_card
    assert "opens it, without selfsent" in student_card
    assert SentenceTransformer(str(folders[1]), device="cpu").encode("It opens.").shape == (16,)
    small = artefacts.in_int8(folders[0])
    card = (small / "README.md").read_text("utf8")
    assert "## Exported to int8" in card
    assert "size: " in card
    before = {path: path.stat().st_mtime_ns for path in folders[0].glob("[!.]*")}
    artefacts.make(asked[0])  # a finished model is left alone
    assert {path: path.stat().st_mtime_ns for path in folders[0].glob("[!.]*")} == before
