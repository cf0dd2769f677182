"""Files of synonyms: what is read, what is refused."""

from pathlib import Path

import pytest

from selfsent.errors import UserError
from selfsent.views.lexicon import Lexicon, read_lexicon


def test_a_lexicon_is_read_as_it_was_written(tmp_path: Path):
    lexicon = Lexicon(name="mine.tsv", synonyms={"car": ("auto", "automobile"), "straße": ("weg",)})
    lexicon.write(tmp_path / "mine.tsv")
    assert read_lexicon(tmp_path / "mine.tsv") == lexicon


def test_words_are_folded_lines_of_one_word_joined_and_a_word_is_no_synonym_of_itself(tmp_path: Path):
    path = tmp_path / "words.tsv"
    path.write_text("Car\tauto \tCAR\n\ncar\tauto\tmotor car\n", encoding="utf8")
    assert read_lexicon(path).synonyms == {"car": ("auto", "motor car")}


def test_its_hash_is_that_of_its_content():
    one, other = {"a": ("b",), "c": ("d",)}, {"c": ("d",), "a": ("b",)}
    assert Lexicon(name="x", synonyms=one).sha256 == Lexicon(name="y", synonyms=other).sha256
    assert Lexicon(name="x", synonyms=one).sha256 != Lexicon(name="x", synonyms={"a": ("b",)}).sha256


@pytest.mark.parametrize("line", ["word", "word\t", "\tsynonym", "word\tWord"])
def test_a_line_without_a_synonym_names_file_and_line(tmp_path: Path, line: str):
    path = tmp_path / "words.tsv"
    path.write_text(f"car\tauto\n{line}\n", encoding="utf8")
    with pytest.raises(UserError, match=r"words\.tsv, line 2: .* has no synonym"):
        read_lexicon(path)


def test_a_line_of_another_encoding_names_file_and_line(tmp_path: Path):
    (tmp_path / "words.tsv").write_bytes("stra\xdfe\tweg\n".encode("latin1"))
    with pytest.raises(UserError, match=r"words\.tsv, line 1: not valid UTF-8"):
        read_lexicon(tmp_path / "words.tsv")


def test_a_missing_and_an_empty_file_are_refused(tmp_path: Path):
    with pytest.raises(UserError, match="no lexicon at"):
        read_lexicon(tmp_path / "nothing.tsv")
    (tmp_path / "empty.tsv").write_text("\n")
    with pytest.raises(UserError, match="is empty"):
        read_lexicon(tmp_path / "empty.tsv")


def test_a_byte_order_mark_and_carriage_returns_are_no_part_of_a_lexicon(tmp_path: Path):
    (tmp_path / "mine.tsv").write_bytes("\ufeffcar\tauto\r\rsea\tocean\r".encode())
    assert read_lexicon(tmp_path / "mine.tsv").synonyms == {"car": ("auto",), "sea": ("ocean",)}
