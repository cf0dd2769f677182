import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from selfsent.data.sources import open_source
from selfsent.errors import UserError
from selfsent.parsing.parse_file import ParseFile, is_parse_file, join_parses, write_parses
from selfsent.parsing.parsed_text import ParsedText, uninformed

TEXTS = ["the cat sat", "one", "a text of some more words than the others", "x " * 300 + "y"]


def parses(structure: str, texts: list[str]) -> list[ParsedText]:
    return [uninformed(text, structure) for text in texts]


def assert_same(found: ParsedText | None, expected: ParsedText):
    assert found is not None
    assert found.text == expected.text.strip()
    np.testing.assert_array_equal(found.word_starts, expected.word_starts)
    np.testing.assert_array_equal(found.split_depths, expected.split_depths)


def test_every_parse_is_found_by_its_text_and_no_other(tmp_path: Path):
    file = tmp_path / "parses.parquet"
    write_parses(file, parses("left", TEXTS))
    opened = ParseFile(file)
    assert len(opened) == len(TEXTS)
    for expected in parses("left", TEXTS):
        assert_same(opened.find(expected.text), expected)
        assert_same(opened.find(f" {expected.text}\n"), expected)
    assert opened.find("the cat") is None
    assert opened.find("") is None


@pytest.mark.parametrize(
    ("written", "asked"),
    [("the cat  sat", "the cat sat"), ("the cat sat", "the\u00a0cat   sat"), (" the\tcat sat ", "the cat \n sat")],
)
def test_a_text_is_found_however_its_words_are_spaced(tmp_path: Path, written: str, asked: str):
    write_parses(tmp_path / "parses.parquet", parses("left", [written, TEXTS[3]]))
    opened = ParseFile(tmp_path / "parses.parquet")
    assert_same(opened.find(asked), uninformed(asked, "left"))
    assert_same(opened.find(TEXTS[3]), uninformed(TEXTS[3], "left"))


def test_of_a_text_that_occurs_twice_the_first_parse_counts(tmp_path: Path):
    write_parses(tmp_path / "a.parquet", parses("left", TEXTS[:1]) + parses("right", TEXTS[:1]))
    assert_same(ParseFile(tmp_path / "a.parquet").find(TEXTS[0]), uninformed(TEXTS[0], "left"))


def test_a_folder_is_all_its_parse_files(tmp_path: Path):
    write_parses(tmp_path / "a.parquet", parses("left", TEXTS[:2]))
    write_parses(tmp_path / "b.parquet", parses("right", TEXTS[1:]))
    pq.write_table(pa.table({"text": ["no parse"]}), tmp_path / "c.parquet")
    opened = ParseFile(tmp_path)
    assert len(opened) == 5
    assert_same(opened.find(TEXTS[3]), uninformed(TEXTS[3], "right"))
    assert opened.find("no parse") is None


def test_joined_files_hold_the_parses_of_all_in_order(tmp_path: Path):
    parts = [tmp_path / "0", tmp_path / "1"]
    write_parses(parts[0], parses("left", TEXTS[:2]))
    write_parses(parts[1], parses("right", TEXTS[2:]))
    join_parses(parts, tmp_path / "all.parquet")
    assert list(open_source(tmp_path / "all.parquet").texts()) == TEXTS
    assert_same(ParseFile(tmp_path / "all.parquet").find(TEXTS[2]), uninformed(TEXTS[2], "right"))


def test_what_holds_no_parses_is_refused_in_one_line(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("a text\n", "utf8")
    (tmp_path / "broken.parquet").write_text("PAR1 but no more", "utf8")
    pq.write_table(pa.table({"text": ["no parse"]}), tmp_path / "texts.parquet")
    write_parses(tmp_path / "empty.parquet", [])
    for name in ("notes.txt", "broken.parquet", "texts.parquet"):
        assert not is_parse_file(tmp_path / name)
        with pytest.raises(UserError, match="holds no parses"):
            ParseFile(tmp_path / name)
    with pytest.raises(UserError, match="does not exist"):
        ParseFile(tmp_path / "nowhere")
    with pytest.raises(UserError, match="is empty"):
        ParseFile(tmp_path / "empty.parquet")


def test_a_file_of_parses_may_have_a_name_that_is_not_utf8(tmp_path: Path):
    file = tmp_path / os.fsdecode(b"caf\xe9.parquet")
    write_parses(tmp_path / "part.parquet", parses("left", TEXTS))
    join_parses([tmp_path / "part.parquet"], file)
    assert is_parse_file(file)
    assert len(ParseFile(file)) == len(TEXTS)
    assert [row["file"] for row in open_source(tmp_path)][:1] == ["caf\\xe9.parquet"]
