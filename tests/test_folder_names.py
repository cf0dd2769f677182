from pathlib import Path

from selfsent.folder_names import listed, visible_names


def test_hidden_names_do_not_count_and_what_is_no_folder_has_none(tmp_path: Path):
    (tmp_path / ".lock").touch()
    assert visible_names(tmp_path) == set()
    (tmp_path / "notes.txt").touch()
    assert visible_names(tmp_path) == {"notes.txt"}
    assert visible_names(tmp_path / "notes.txt") == visible_names(tmp_path / "nothing") == set()


def test_the_first_three_names_are_told_and_the_rest_are_counted():
    assert listed(["b", "a"]) == "a, b"
    assert listed("edcba") == "a, b, c and 2 more"
