"""What a store records of how it is searched."""

from pathlib import Path
from typing import Any

import typer

from selfsent.cli import app
from selfsent.search.stored_search import MIN_ROWS, StoredSearch


def test_a_record_is_read_as_it_was_written_and_what_a_later_version_adds_is_left_out(tmp_path: Path):
    record, key = StoredSearch(analysis="{}", fusion_weight=0.0, weak_below=0.2, measured_rows=7).with_source(
        str(tmp_path), str(tmp_path / "store")
    )
    assert key == "0"
    assert StoredSearch.from_json(record.to_json()) == record
    assert StoredSearch.from_json('{"fusion_weight": 0.4, "of a later": 1}') == StoredSearch(fusion_weight=0.4)


def test_a_source_has_one_key_however_it_is_written(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes").mkdir()
    record = StoredSearch()
    keys = []
    for spec in ("notes", str(tmp_path / "notes"), "./notes/", "docs:", "docs:train", "docs:"):
        record, key = record.with_source(spec, "store")
        keys.append(key)
    assert keys == ["0", "0", "0", "1", "2", "1"]


def test_the_help_and_the_pages_name_the_number_of_passages_below_which_nothing_is_hidden():
    group: Any = typer.main.get_command(app)
    (option,) = [one for one in group.commands["search"].params if one.name == "all"]
    docs = Path(__file__).parents[2] / "docs"
    pages = [(docs / name).read_text("utf8") for name in ("serving.md", "guides/build-and-serve.md")]
    assert f"of fewer than {MIN_ROWS} passages none is hidden" in option.help
    assert all(f"a store of fewer than {MIN_ROWS} passages hides none" in " ".join(page.split()) for page in pages)


def test_nothing_is_weak_in_a_store_of_fewer_than_200_passages():
    record = StoredSearch(weak_below=0.3)
    assert (record.level_for(199), record.level_for(200)) == (None, 0.3)
