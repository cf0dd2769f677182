"""Filters: what is written anew, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsent.errors import UserError
from selfsent.serving.filters import checked_filter

COLUMNS = ("file", "line", "end", "title", "done")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("file LIKE 'guide/%'", "(`file` LIKE 'guide/%')"),
        ("file NOT LIKE 'a'", "(`file` NOT LIKE 'a')"),
        ("title ILIKE 'a'", "(`title` ILIKE 'a')"),
        ("line = 3 AND end <> -4.5", "((`line` = 3) AND (`end` <> -4.5))"),
        ("line == 3 or not line <= 1", "((`line` = 3) OR (NOT (`line` <= 1)))"),
        ("`end` > 5", "(`end` > 5)"),
        ('"end" >= 5', "(`end` >= 5)"),
        ("line IN (1, 2)", "(`line` IN (1, 2))"),
        ("file NOT IN ('a')", "(NOT (`file` IN ('a')))"),
        ("line BETWEEN 1 AND 2", "(`line` BETWEEN 1 AND 2)"),
        ("line IS NOT NULL", "(NOT (`line` IS NULL))"),
        ("done = TRUE", "(`done` = TRUE)"),
        ("title = 'O''Brien; -- \\'", "(`title` = 'O''Brien; -- \\')"),
        ("title = 'a' -- OR 1 = 1", "(`title` = 'a')"),
        ("(line = 1)", "(`line` = 1)"),
    ],
)
def test_comparisons_are_written_anew(text, written):
    assert checked_filter(text, COLUMNS) == written
    assert checked_filter(written, COLUMNS) == written


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("1=1; DROP TABLE texts", "one expression"),
        ("", "one expression"),
        ("SELECT 1", "SELECT"),
        ("DROP TABLE texts", "DROP"),
        ("line IN (SELECT 1)", "brackets"),
        ("line = (SELECT 1)", "SUBQUERY"),
        ("repeat('a', 1000000000) = 'x'", "REPEAT"),
        ("regexp_match(file, '(a+)+$')", "calls nothing"),
        ("file RLIKE 'a'", "calls nothing"),
        ("line + 1 = 2", "ADD"),
        ("CAST(line AS text) = '1'", "CAST"),
        ("filee = 'a'", "did you mean 'file'"),
        ("vector = 1", "'vector'"),
        ("texts.file = 'a'", "'texts.file'"),
        ("file = 'a", "close quotes"),
        ("(((", "close quotes"),
        ("(" * 5000 + "line = 1" + ")" * 5000, "too many brackets"),
        ("line = -'a'", "sign"),
        ("line = 1\x00", "calls nothing"),
        ("file = $1", "'$1'"),
        ("*", "calls nothing"),
    ],
)
def test_anything_else_is_refused_in_one_line(text, word):
    with pytest.raises(UserError, match=r"filter|IN needs") as refused:
        checked_filter(text, COLUMNS)
    assert word in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


@given(st.text(max_size=60))
def test_whatever_is_quoted_stays_one_text(value):
    quoted = "'" + value.replace("'", "''") + "'"
    assert checked_filter(f"file = {quoted}", COLUMNS) == f"(`file` = {quoted})"


@given(st.text(alphabet="ab'\"`();-=<>% \\/*.,1", max_size=40))
def test_nothing_is_written_but_comparisons(text):
    try:
        written = checked_filter(text, COLUMNS)
    except UserError:
        return
    assert checked_filter(written, COLUMNS) == written
