"""Filters that a snapshot applies itself mean what they mean in SQL; the others are left to LanceDB."""

import pyarrow as pa
import pytest

from selfsent.search.row_filter import parse_filter

TABLE = pa.table(
    {
        "file": ["a.md", "b.md", None, "it's.md", "A.MD\nx"],
        "line": [1, 2, 3, None, -5],
        "price": [0.5, 1.0, None, 2.5, -1.0],
        "is_new": [True, False, None, True, False],
        "year": pa.array([1, 2, 3, 4, 5], pa.int64()),
    }
)


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("file = 'a.md'", [0]),
        ("file != 'a.md'", [1, 3, 4]),
        ("file <> 'a.md' and line > 1", [1]),
        ("NOT file = 'a.md'", [1, 3, 4]),
        ("file = 'it''s.md'", [3]),
        ("file IN ('a.md', 'b.md')", [0, 1]),
        ("file NOT IN ('a.md')", [1, 3, 4]),
        ("file LIKE '%.md'", [0, 1, 3]),
        ("file LIKE '_.md'", [0, 1]),
        ("file LIKE 'A%x'", [4]),
        ("file ILIKE 'a.md%'", [0, 4]),
        ("file NOT LIKE 'a%'", [1, 3, 4]),
        ("file IS NULL", [2]),
        ("file IS NOT NULL AND line IS NOT NULL", [0, 1, 4]),
        ("line BETWEEN 2 AND 3", [1, 2]),
        ("line NOT BETWEEN 2 AND 3", [0, 4]),
        ("line = -5", [4]),
        ("line<2", [0, 4]),
        ("price >= 1", [1, 3]),
        ("price = 2.5", [3]),
        ("is_new = true", [0, 3]),
        ("is_new = FALSE OR price = 0.5", [0, 1, 4]),
        ("line = 1 OR line = 2 AND file = 'x'", [0]),
        ("(line = 1 OR line = 2) AND file = 'b.md'", [1]),
        ("NOT (line = 1 OR file = 'b.md')", [4]),
        ("line = 3 OR file = 'x'", [2]),
    ],
)
def test_a_filter_chooses_the_rows_that_sql_chooses(where: str, rows: list[int]) -> None:
    condition = parse_filter(where, TABLE.schema)
    assert condition is not None
    assert condition(TABLE).nonzero()[0].tolist() == rows


@pytest.mark.parametrize(
    "where",
    [
        "",
        "file",
        "nothing = 1",
        "file = 'a.md",
        "file = 'a.md' AND",
        "file = 'a.md')",
        "(file = 'a.md'",
        'file = "a.md"',
        "line = '1'",
        "line = 1.5",
        "file = 1",
        "line = 12345678901234567890",
        "lower(file) = 'a.md'",
        "line + 1 = 2",
        "file = 'a.md'; DROP TABLE texts",
        "file LIKE 'a\\%'",
        "file ILIKE 'É%'",
        "file = NULL",
        "end > 3",
        "1 = 1",
        "file LIKE 3",
        "file == 'a.md'",
        "line = 1e3",
    ],
)
def test_what_is_not_understood_is_left_to_lancedb(where: str) -> None:
    assert parse_filter(where, TABLE.schema) is None
