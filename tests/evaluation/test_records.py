"""Cells of evaluation data: what a text, a list and a number may be, and what a message shows of one that is not."""

import math

import pytest

from selfsent.errors import UserError
from selfsent.evaluation.records import Record, read_records


@pytest.mark.parametrize(
    "value", [10**400, pytest.param(10**5000, id="int"), "1" * 5000, math.nan, "inf", None, "²", [1]]
)
def test_what_is_no_finite_number_is_named_in_one_short_line(value):
    with pytest.raises(UserError, match=r"^qrels, line 2: score is .*; give a number$") as error:
        Record(values={"score": value}, place="qrels, line 2").number("score")
    assert len(str(error.value)) < 200


@pytest.mark.parametrize(("value", "number"), [("1.5", 1.5), (2, 2.0), (" 3 ", 3.0)])
def test_a_number_may_be_written_as_a_text(value, number):
    assert Record(values={"score": value}, place="qrels, line 2").number("score") == number


def test_a_byte_order_mark_and_blank_lines_are_no_part_of_a_table(tmp_path):
    path = tmp_path / "qrels.tsv"
    path.write_text("\ufeffquery-id\tcorpus-id\r\n\r\nq1\td1\r\n", encoding="utf8", newline="")
    (record,) = read_records(path, columns=["query-id"])
    assert (record.values, record.place) == ({"query-id": "q1", "corpus-id": "d1"}, f"{path}, line 3")
