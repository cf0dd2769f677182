import pytest

from selfsent.data.bad_rows import BadRows
from selfsent.errors import UserError


def test_the_first_bad_row_stops_a_pass_and_says_how_to_go_on() -> None:
    with pytest.raises(UserError, match=r"^a\.csv, line 7: no text; correct the row, or .*--on-bad-row skip`$"):
        BadRows(on_bad_row="stop").report("a.csv, line 7", "no text")


def test_skipped_rows_are_counted_with_the_lines_they_swallowed_and_the_first_is_named() -> None:
    rows = BadRows(on_bad_row="skip")
    assert rows.notes() == []
    rows.report("a.csv, line 7", "a quote is never closed", num_lines=295)
    assert rows.notes() == ["1 bad row (295 lines) left out, the first: a.csv, line 7: a quote is never closed"]
    rows.report("b.csv, line 1", "no text")
    rows.report_blank("b.csv, line 4")
    assert rows.notes() == [
        "2 bad rows (296 lines) left out, the first: a.csv, line 7: a quote is never closed",
        "1 blank row left out, the first: b.csv, line 4",
    ]


def test_the_longest_record_of_many_lines_is_told_for_its_quote_may_be_closed_too_late() -> None:
    rows = BadRows(on_bad_row="stop")
    rows.report_long("a.csv, line 7", 144)
    rows.report_long("a.csv, line 200", 30)
    (note,) = rows.notes()
    assert note.startswith("a.csv, line 7: the record spans 144 lines")
