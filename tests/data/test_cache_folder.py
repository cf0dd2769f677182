from pathlib import Path

import pytest

from selfsent.data.cache_folder import cache_folder
from selfsent.data.docs import open_docstrings
from selfsent.data.teacher_vectors import teacher_vectors
from selfsent.errors import UserError
from selfsent.views.wordnet import find_wordnet


def without_home() -> Path:
    raise RuntimeError("Could not determine home directory.")


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user whom neither the environment nor the system gives a home folder, as in a container."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", without_home)
    monkeypatch.setattr(Path, "expanduser", lambda _: without_home())


def test_it_is_in_the_cache_of_the_system_or_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache_folder() == tmp_path / "cache" / "selfsent"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "selfsent"


@pytest.mark.usefixtures("homeless")
def test_docstrings_are_read_and_wordnet_is_looked_for_without_a_home_folder(tmp_path: Path) -> None:
    assert cache_folder() is None
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "mod.py").write_text('"""This module says what it is for."""\n')
    corpus = open_docstrings([tmp_path])
    assert [docstring.sentences for docstring in corpus.docstrings] == [("This module says what it is for.",)]
    find_wordnet()


@pytest.mark.usefixtures("homeless")
def test_a_teachers_vectors_ask_for_a_folder_where_there_is_no_home() -> None:
    with pytest.raises(UserError, match=r"no home folder .* name a folder with teacher_cache"):
        teacher_vectors(lambda: iter(["one"]), folder=None, teacher=lambda: None, teacher_hash="a" * 64)
