import os
from pathlib import Path

import pytest

from selfsent.documents.folder import Folder, shown


def make(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def names_of(folder: Folder) -> list[str]:
    return [file.name for file in folder.files()]


def test_files_come_in_the_order_of_their_names_without_hidden_ones(tmp_path: Path) -> None:
    make(tmp_path, "b.md", "a.md", "c/d e.md", "c/ж.md", ".hidden.md", ".git/x.md")
    assert names_of(Folder(tmp_path)) == ["a.md", "b.md", "c/d e.md", "c/ж.md"]


def test_links_are_followed_and_circles_end(tmp_path: Path) -> None:
    root, elsewhere = make(tmp_path / "root", "a/b.md"), make(tmp_path / "elsewhere", "c.md", "d.md")
    (root / "a" / "up").symlink_to(root)
    (root / "0").symlink_to(root / "a")
    (root / "linked").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(root)
    (root / "again.md").symlink_to(elsewhere / "c.md")
    assert names_of(Folder(root)) == ["a/b.md", "again.md", "linked/d.md"]


def test_a_link_to_nothing_and_a_link_to_itself_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.md").symlink_to(tmp_path / "gone")
    (tmp_path / "b.md").symlink_to(tmp_path / "b.md")
    folder = Folder(tmp_path)
    assert names_of(folder) == []
    assert [(one.file, one.reason) for one in folder.skipped] == [("a.md", "broken"), ("b.md", "broken")]


def test_what_selfsent_wrote_is_not_entered(tmp_path: Path) -> None:
    make(
        tmp_path,
        "a.md",
        "model/modules.json",
        "model/README.md",
        "store/texts.lance/data",
        "run/run.json",
        "run/metrics.jsonl",
        "out/report.json",
        "out/report.html",
        "out/model/x.md",
        "out/store/x.md",
    )
    folder = Folder(tmp_path)
    assert names_of(folder) == ["a.md"]
    assert folder.passed_over == ["model (a model)", "out (a build)", "run (a run)", "store (a store)"]


@pytest.mark.parametrize("exclude", ["out", "absolute", "a.md"])
def test_what_is_excluded_is_left_out(tmp_path: Path, exclude: str) -> None:
    make(tmp_path, "a.md", "out/b.md")
    path = tmp_path / "out" if exclude == "absolute" else exclude
    assert names_of(Folder(tmp_path, [path])) == (["out/b.md"] if exclude == "a.md" else ["a.md"])


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    folder = Folder(tmp_path)
    assert names_of(folder) == []
    assert [(one.file, one.reason, one.detail) for one in folder.skipped] == [
        ("pipe.txt", "unknown format", "it is not a regular file")
    ]


def test_a_folder_without_permission_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a.md", "closed/b.md")
    scandir = os.scandir

    def scandir_or_refuse(path: Path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scandir_or_refuse)
    folder = Folder(tmp_path)
    assert names_of(folder) == ["a.md"]
    assert [(one.file, one.reason) for one in folder.skipped] == [("closed", "no permission")]


def test_a_name_that_is_not_utf8_can_be_printed_and_stored() -> None:
    assert shown(os.fsdecode(b"na\xefve.md")) == "na\\xefve.md"
    shown(os.fsdecode(b"na\xefve.md")).encode()
