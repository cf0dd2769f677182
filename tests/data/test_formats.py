import csv
import gzip
import io
import json
import lzma
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from selfsent.data.formats import BadRecord, UnreadableValue, read_head, read_lines, read_records
from selfsent.errors import UserError

Texts = list[list[str]]

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: zstandard.ZstdCompressor().compress(data),
}


def as_csv(rows: Texts) -> bytes:
    stream = io.StringIO()
    csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return stream.getvalue().encode()


def as_parquet(rows: Texts) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table({str(column): list(cells) for column, cells in enumerate(zip(*rows, strict=True))}), stream)
    return stream.getvalue()


WRITERS: dict[str, Callable[[Texts], bytes]] = {
    ".txt": lambda rows: "".join(f"{row[0]}\n" for row in rows).encode(),
    ".tsv": lambda rows: "".join("\t".join(row) + "\n" for row in rows).encode(),
    ".csv": as_csv,
    ".jsonl": lambda rows: "".join(json.dumps({str(c): t for c, t in enumerate(row)}) + "\n" for row in rows).encode(),
    ".parquet": as_parquet,
}

# A line ends at \n or \r\n, so a text within one holds neither, nor a tab in .tsv; everything else is text.
line_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\n\r\t")).filter(
    lambda text: bool(text.strip()) and not text.startswith("\ufeff")
)
any_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r")).filter(
    lambda text: bool(text.strip()) and not text.startswith("\ufeff")
)


def read_back(suffix: str, compression: str, rows: Texts) -> Texts:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"a{suffix}{compression}")
        path.write_bytes(COMPRESS[compression](WRITERS[suffix](rows)))
        records = [record for _, record in read_records(path)]
    return [list(record.values()) if isinstance(record, dict) else list(record) for record in records]


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("suffix", [".txt", ".tsv"])
@given(texts=st.lists(line_text, min_size=1, max_size=8))
def test_any_unicode_line_comes_back_from_line_formats(suffix: str, compression: str, texts: list[str]) -> None:
    rows = [[text] if suffix == ".txt" else [text, "x"] for text in texts]
    assert read_back(suffix, compression, rows) == rows


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
@given(texts=st.lists(any_text, min_size=1, max_size=8))
def test_any_unicode_text_with_line_ends_comes_back_from_the_others(
    suffix: str, compression: str, texts: list[str]
) -> None:
    rows = [[text, "x"] for text in texts]
    assert read_back(suffix, compression, rows) == rows


def records_of(path: Path, content: str | bytes) -> list[tuple[int, object]]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_records(path))


def test_only_line_feeds_end_a_line(tmp_path: Path) -> None:
    line = "a\u2028b\x0bc\x85d\x1ce\rf"
    assert records_of(tmp_path / "a.txt", f"{line}\r\nnext\n") == [(1, (line,)), (2, ("next",))]


def test_blank_lines_are_skipped_and_still_counted(tmp_path: Path) -> None:
    assert records_of(tmp_path / "a.txt", "\none\n \t \r\ntwo") == [(2, ("one",)), (4, ("two",))]


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    assert records_of(tmp_path / "a.jsonl", b'\xef\xbb\xbf{"text": "x"}\n') == [(1, {"text": "x"})]


@pytest.mark.parametrize("suffix", [".txt", ".tsv", ".csv"])
def test_a_line_of_megabytes_is_one_text(tmp_path: Path, suffix: str) -> None:
    text = "wörd " * 600_000
    assert records_of(tmp_path / f"a{suffix}", text)[0][1][0] == text  # pyright: ignore[reportIndexIssue]


def test_a_tsv_is_never_quoted_and_a_csv_is(tmp_path: Path) -> None:
    assert records_of(tmp_path / "a.tsv", '"a\tb"\n') == [(1, ['"a', 'b"'])]
    assert records_of(tmp_path / "a.csv", '"a,""b""\nc",d\n') == [(1, ['a,"b"\nc', "d"])]


def test_a_csv_record_is_named_by_its_first_line(tmp_path: Path) -> None:
    assert [line for line, _ in records_of(tmp_path / "a.csv", '"a\nb",c\n\nd,e\n')] == [1, 4]


def test_invalid_utf8_names_line_and_byte_and_the_rest_is_read(tmp_path: Path) -> None:
    for name in ("a.txt", "a.tsv", "a.csv"):
        records = records_of(tmp_path / name, b"good\nbad \xe9t\xe9\nagain\n")
        assert [line for line, _ in records] == [1, 2, 3]
        bad = records[1][1]
        assert isinstance(bad, BadRecord)
        assert "not valid UTF-8 at byte 5 of the line (0xe9)" in bad.reason
        assert "iconv" in bad.reason


def test_a_nul_byte_far_into_a_file_spoils_its_line_only(tmp_path: Path) -> None:
    records = records_of(tmp_path / "a.txt", b"good\nb\0d\nagain\n")
    assert records[1] == (2, BadRecord("looks binary: it holds a NUL byte"))
    assert len(records) == 3


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"text": "x"', "malformed JSON"),
        ('["x"]', "needs a JSON object.*got list"),
        ('"x"', "needs a JSON object.*got str"),
        ("[" * 100_000, "malformed JSON|needs"),
    ],
)
def test_a_line_that_is_no_json_object_is_bad(tmp_path: Path, line: str, reason: str) -> None:
    good, bad, after = records_of(tmp_path / "a.jsonl", f'{{"text": "1"}}\n{line}\n{{"text": "2"}}\n')
    assert isinstance(bad[1], BadRecord)
    assert pytest.approx(bad[0]) == 2
    assert __import__("re").match(reason, bad[1].reason)
    assert (good, after) == ((1, {"text": "1"}), (3, {"text": "2"}))


@pytest.mark.parametrize("content", ['"never closed,x\ny\n', '"a"b,c\n'])
def test_malformed_quotes_are_bad_and_name_their_line(tmp_path: Path, content: str) -> None:
    records = records_of(tmp_path / "a.csv", "good,row\n" + content)
    assert records[0] == (1, ["good", "row"])
    assert records[1][0] == 2
    assert isinstance(records[1][1], BadRecord)


def test_what_is_no_parquet_is_an_error_naming_the_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*a\.parquet as parquet"):
        records_of(tmp_path / "a.parquet", "just text, but long enough to have a footer")


@pytest.mark.parametrize("name", ["a.pdf", "a.txt.bz2", "a", "a.gz"])
def test_an_unknown_name_lists_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"cannot tell the format.*\.txt, \.jsonl, \.csv, \.tsv, \.parquet.*\.zst"):
        read_records(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_one_may_not_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("x")
    path.chmod(0)
    with pytest.raises(UserError, match="permission denied"):
        list(read_records(path))


def test_a_quote_that_is_never_closed_says_how_many_lines_it_swallowed(tmp_path: Path) -> None:
    rows = ["left,right"] * 301
    rows[6] = 'left,"right'
    records = records_of(tmp_path / "a.csv", "\n".join(rows) + "\n")
    assert [line for line, _ in records] == [1, 2, 3, 4, 5, 6, 7]
    bad = records[-1][1]
    assert isinstance(bad, BadRecord)
    assert bad.reason.startswith("a quote opened in line 7 is never closed; it covers lines 7 to 301;")
    assert bad.num_lines == 295


def test_a_quote_that_is_closed_in_the_wrong_place_says_how_many_lines_it_swallowed(tmp_path: Path) -> None:
    records = records_of(tmp_path / "a.csv", 'a,b\nc,"d\ne,f\ng,h" i\nj,k\n')
    assert [line for line, _ in records] == [1, 2, 5]
    bad = records[1][1]
    assert isinstance(bad, BadRecord)
    assert "it covers lines 2 to 4" in bad.reason
    assert bad.num_lines == 3


def test_a_line_that_is_not_utf8_keeps_its_place_in_a_quoted_cell(tmp_path: Path) -> None:
    records = records_of(tmp_path / "a.csv", b'a,"one\ntw\xe9"\nb,c\n')
    assert [line for line, _ in records] == [2, 3]
    bad = records[0][1]
    assert isinstance(bad, BadRecord)
    assert (bad.reason[:14], bad.num_lines) == ("not valid UTF-", 2)


@pytest.mark.parametrize("compression", COMPRESS)
def test_lines_that_end_at_a_carriage_return_alone_are_lines(tmp_path: Path, compression: str) -> None:
    for ending in ("", "\r"):
        path = tmp_path / f"a.txt{compression}"
        path.write_bytes(COMPRESS[compression](f"\ufeffone two\rthree\r\rfour{ending}".encode()))
        assert list(read_records(path)) == [(1, ("one two",)), (2, ("three",)), (4, ("four",))]
    assert records_of(tmp_path / "a.csv", "a,b\rc,d") == [(1, ["a", "b"]), (2, ["c", "d"])]


def test_blank_lines_keep_their_places_where_they_are_wanted(tmp_path: Path) -> None:
    for name, content in {"a.txt": "a\n\nb\n", "a.tsv": "a\n \t\nb\n", "a.csv": 'a\n""\nb\n'}.items():
        records_of(tmp_path / name, content)
        assert [(line, record is None) for line, record in read_lines(tmp_path / name)] == [
            (1, False),
            (2, True),
            (3, False),
        ]


def odd_parquet(path: Path) -> Path:
    """Three texts beside columns that Python cannot hold; the second value of ``broken`` is not UTF-8."""
    offsets = pa.array([0, 1, 2, 3], pa.int32()).buffers()[1]
    columns = {
        "text": pa.array(["one", "two", "three"]),
        "late": pa.array([2**61] * 3, pa.timestamp("us")),
        "zone": pa.array([1] * 3, pa.timestamp("us")).cast(pa.timestamp("us", tz="Mars/Phobos")),
        "broken": pa.Array.from_buffers(pa.string(), 3, [None, offsets, pa.py_buffer(b"a\xffb")]),
        "__index_level_0__": pa.array([0, 1, 2]),
    }
    pq.write_table(pa.table(columns), path)
    return path


def test_only_the_wanted_columns_of_parquet_are_read(tmp_path: Path) -> None:
    path = odd_parquet(tmp_path / "a.parquet")
    assert [record for _, record in read_lines(path, ["text"])] == [{"text": "one"}, {"text": "two"}, {"text": "three"}]
    (_, first), _ = read_head(path)
    assert first == {"text": "one", "late": None, "zone": None, "broken": "a", "__index_level_0__": None}


def test_a_value_that_python_cannot_hold_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    rows = [dict(record) for _, record in read_lines(odd_parquet(tmp_path / "a.parquet"))]  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert [row["text"] for row in rows] == ["one", "two", "three"]
    assert [isinstance(row["broken"], UnreadableValue) for row in rows] == [False, True, False]
    assert isinstance(rows[0]["late"], UnreadableValue)
    assert "Mars/Phobos" in repr(rows[0]["zone"])
