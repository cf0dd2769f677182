"""Bars are for terminals, and for what takes long."""

import sys

import pytest

from selfsent.evaluation import progress
from selfsent.evaluation.progress import progress_bar


def test_a_bar_gives_its_items_and_is_silent_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress_bar([3, 1, 2], what="counting", unit="number")) == [3, 1, 2]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("after_s", "is_shown"), [(60.0, False), (0.0, True)])
def test_a_bar_shows_on_a_terminal_once_something_takes_long(
    after_s: float, is_shown: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(progress, "_AFTER_S", after_s)
    with progress_bar(total=4, what="counting", unit="number") as bar:
        bar.update(4)
    assert ("counting" in capsys.readouterr().err) == is_shown
