"""How the text of an option is read, and what a command opens."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from selfsent.command_options import data_dir_of, header_of, opened, option_names, picked
from selfsent.errors import UserError


@pytest.mark.parametrize(
    ("typed", "columns"),
    [(None, None), ("2, 1", ["2", "1"]), ("²", ["²"]), ("1" * 5000, ["1" * 5000]), ("body,,", ["body"]), ("", [])],
)
def test_columns_are_names_or_numbers_and_whatever_was_typed_is_no_traceback(
    typed: str | None, columns: list[str] | None
) -> None:
    assert picked(typed) == columns


def test_a_header_is_what_was_said_or_nothing() -> None:
    assert [header_of(said) for said in (None, "yes", "no")] == [None, True, False]


def test_a_command_does_not_read_its_own_output_the_next_time(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n")
    for _ in range(2):
        source = opened(str(tmp_path), None, None, "stop", None, output=tmp_path / "out.jsonl")
        assert list(source.texts()) == ["one"]
        (tmp_path / "out.jsonl").write_text('{"text": "one"}\n')


def test_a_column_that_no_number_counts_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("one,two\n")
    for columns in ("²", "1" * 5000):
        with pytest.raises(UserError, match="there is no column"):
            opened(str(tmp_path / "a.csv"), columns, None, "stop", None, output="out.npy")


def test_a_home_folder_of_data_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SELFSENT_DATA", "~/data")
    assert data_dir_of(None) == tmp_path / "data"
    assert data_dir_of(Path("~/other")) == tmp_path / "other"
    monkeypatch.delenv("SELFSENT_DATA")
    assert data_dir_of(None) is None


@pytest.mark.parametrize(
    ("method", "typed", "completed"),
    [
        ("sct", "queue", ["queue_size=", "queues="]),
        ("sct-mini", "queue", ["queue_size=", "queues="]),
        ("mlm", "queue", []),
        ("mlm", "tr", ["training."]),
        ("sct", "pre", ["preset="]),
        ("no such method", "masked_l", ["masked_lm="]),
    ],
)
def test_set_completes_the_options_of_the_method_or_of_the_recipes_method(
    method: str, typed: str, completed: list[str]
) -> None:
    context: Any = SimpleNamespace(params={"method": method})
    assert option_names(context, typed) == completed
