"""A build that cannot begin says so at once: nothing heavy is imported for a mistyped name."""

from pathlib import Path

import pytest
from tests.cold_process import refused_at_once


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "one.md").write_text("# Violins\n\nThe violin is old.\n", "utf8")
    return folder


def test_a_source_that_is_not_there_is_told_before_torch_is_imported(tmp_path: Path):
    line = refused_at_once("build", str(tmp_path / "nots"), "--output", str(tmp_path / "out"))
    assert f"no file or folder at {tmp_path}/nots" in line
    assert not (tmp_path / "out").exists()


def test_a_source_without_a_document_is_told_before_torch_is_imported(tmp_path: Path, notes: Path):
    (notes / "one.md").rename(notes / "one.jpg")
    assert "none of a known format" in refused_at_once("build", str(notes), "--output", str(tmp_path / "out"))


@pytest.mark.parametrize("option", ["--model", "--teacher", "--base"])
def test_a_model_that_is_not_there_is_told_before_torch_is_imported(tmp_path: Path, notes: Path, option: str):
    place = str(tmp_path / "modle")
    line = refused_at_once("build", str(notes), "--output", str(tmp_path / "out"), option, place)
    assert f"no model at {place}" in line


def test_options_that_contradict_each_other_and_a_foreign_folder_are_told_before_torch_is_imported(
    tmp_path: Path, notes: Path
):
    asked = ["build", str(notes), "--output", str(tmp_path)]
    assert "--model m is ready" in refused_at_once(*asked, "--model", "m", "--teacher", "t")
    assert f"{tmp_path} holds notes and no build of selfsent" in refused_at_once(*asked)
