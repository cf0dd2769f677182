from pathlib import Path

import pytest

from selfsent.data.arrow_file import materialise
from selfsent.data.sources import open_source
from selfsent.errors import UserError


def test_rows_come_back_in_order_with_their_types(tmp_path: Path) -> None:
    rows = [{"sentence1": f"a {n}", "sentence2": "b", "score": n / 2} for n in range(2500)]
    dataset = materialise(iter(rows), tmp_path / "rows.arrow")
    assert dataset.column_names == ["sentence1", "sentence2", "score"]
    assert dataset.to_list() == rows
    assert [path.name for path in tmp_path.iterdir()] == ["rows.arrow"]


def test_a_source_keeps_its_columns_without_their_provenance(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("premise,hypothesis,label\na,b,0\nc,d,1\n")
    dataset = materialise(open_source(tmp_path / "a.csv"), tmp_path / "rows.arrow")
    assert dataset[1] == {"premise": "c", "hypothesis": "d", "label": 1}
    wanted = materialise(open_source(tmp_path / "a.csv"), tmp_path / "w.arrow", columns=["line", "premise"])
    assert wanted.to_list() == [{"line": 2, "premise": "a"}, {"line": 3, "premise": "c"}]


def test_the_file_is_mapped_and_not_loaded(tmp_path: Path) -> None:
    dataset = materialise([{"text": "x"}], tmp_path / "rows.arrow")
    assert [file["filename"] for file in dataset.cache_files] == [str(tmp_path / "rows.arrow")]


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([], "holds no rows"),
        ([{"label": "neutral"}, {"label": 2}], "label changes its type at row 2: got 2, and the rows before hold str"),
        ([{"label": 2}] * 1500 + [{"label": "neutral"}], "at row 1501: got 'neutral', and the rows before hold int"),
        ([{"a": "x"}, {"b": "x"}], "row 2 has no column 'a'"),
    ],
)
def test_rows_that_make_no_table_are_explained_and_leave_no_file(
    tmp_path: Path, rows: list[dict[str, str | int]], text: str
) -> None:
    with pytest.raises(UserError, match=text):
        materialise(rows, tmp_path / "rows.arrow")
    assert not list(tmp_path.iterdir())


def test_a_bad_row_leaves_what_stood_there(tmp_path: Path) -> None:
    materialise([{"text": "old"}], tmp_path / "rows.arrow")
    (tmp_path / "new.jsonl").write_text('{"text": "new"}\nbroken\n')
    with pytest.raises(UserError, match=r"new\.jsonl, line 2"):
        materialise(open_source(tmp_path / "new.jsonl"), tmp_path / "rows.arrow")
    assert materialise([{"text": "old"}], tmp_path / "again.arrow").to_list() == [{"text": "old"}]
    assert (tmp_path / "rows.arrow").read_bytes() == (tmp_path / "again.arrow").read_bytes()
