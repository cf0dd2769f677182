"""What a store records of how it is searched."""

from pathlib import Path

from selfsent.search.stored_search import StoredSearch


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


def test_nothing_is_weak_in_a_store_of_fewer_than_200_passages():
    record = StoredSearch(weak_below=0.3)
    assert (record.level_for(199), record.level_for(200)) == (None, 0.3)
