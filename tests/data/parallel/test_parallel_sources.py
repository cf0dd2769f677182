"""Sources of translations by their specification: what is read, in which languages, and what is refused."""

from pathlib import Path

import pytest

from selfsent.data.parallel.parallel_formats import is_parallel
from selfsent.data.parallel.parallel_sources import Pair, open_parallel, pairs_of
from selfsent.data.sources import open_source
from selfsent.errors import UserError


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf8")
    return path


def pairs(spec: str, **options) -> list[tuple[str, str, str, str]]:
    found = pairs_of(open_parallel(spec, **options))
    return [(pair.source_language, pair.target_language, pair.source, pair.target) for pair in found]


def test_each_further_column_is_paired_with_the_first(tmp_path):
    path = write(tmp_path / "many.tsv", "en\tde\tfr", "one\teins\tun", "two\tzwei\tdeux")
    assert pairs(f"parallel:{path}") == [
        ("en", "de", "one", "eins"),
        ("en", "fr", "one", "un"),
        ("en", "de", "two", "zwei"),
        ("en", "fr", "two", "deux"),
    ]


def test_columns_name_languages_and_the_first_is_the_source(tmp_path):
    path = write(tmp_path / "many.tsv", "en\tde\tfr", "one\teins\tun")
    assert pairs(str(path), columns=["fr", "en"]) == [("fr", "en", "un", "one")]


def test_a_table_without_header_is_named_after_its_languages(tmp_path):
    assert pairs(str(write(tmp_path / "en-ja.tsv", "one\t一"))) == [("en", "ja", "one", "一")]
    with pytest.raises(UserError, match="does not say which languages"):
        pairs(str(write(tmp_path / "pairs.tsv", "one\teins")))


def test_aligned_files_take_their_language_from_the_name_or_from_what_is_said(tmp_path):
    english, german = write(tmp_path / "news.en", "one"), write(tmp_path / "news.de", "eins")
    named = [("en", "de", "one", "eins")]
    assert pairs(f"parallel:{english},{german}") == named
    plain = write(tmp_path / "b.txt", "eins")
    assert pairs(f"en={english},de={plain}") == named
    with pytest.raises(UserError, match=r"b.txt does not end in a known language code"):
        pairs(f"{english},{plain}")


def test_several_specifications_are_one_source(tmp_path):
    table = write(tmp_path / "en-de.tsv", "en\tde", "one\teins")
    french = f"{write(tmp_path / 'x.en', 'two')},{write(tmp_path / 'x.fr', 'deux')}"
    source = open_parallel(f"parallel:{table}; {french}")
    assert [row["target"] for row in source] == ["eins", "deux"]
    assert [(row["file"], row["line"]) for row in source] == [("en-de.tsv", 2), ("x.en,x.fr", 1)]


def test_a_folder_gives_all_that_is_parallel_but_no_evaluation_data(tmp_path):
    write(tmp_path / "pool/en-de.tsv", "en\tde", "one\teins")
    write(tmp_path / "pool/test.tsv", "en\tde", "secret\tgeheim")
    write(tmp_path / "pool/README.txt", "about")
    write(tmp_path / "moses/set.en", "two")
    write(tmp_path / "moses/set.fr", "deux")
    write(tmp_path / "moses/lone.fr", "seul")
    source = open_parallel(f"parallel:{tmp_path}")
    assert sorted(str(row["target"]) for row in source) == ["deux", "eins"]
    notes = " ".join(source.notes)
    assert "for evaluation: pool/test.tsv" in notes
    assert "README.txt" in notes
    assert "lone.fr" in notes


def test_corpora_without_a_wanted_language_are_left_out_and_named(tmp_path):
    write(tmp_path / "en-de.tsv", "en\tde", "one\teins")
    write(tmp_path / "en-zh.tsv", "en\tzh", "one\t一")
    source = open_parallel(f"parallel:{tmp_path}", columns=["en", "de"])
    assert [row["target_language"] for row in source] == ["de"]
    assert any("en-zh.tsv" in note for note in source.notes)
    with pytest.raises(UserError, match="no translations from en into fr"):
        open_parallel(f"parallel:{tmp_path}", columns=["en", "fr"])


@pytest.mark.parametrize("header", ["en\tqq", "xx\tde"])
def test_a_header_with_a_code_nobody_knows_is_refused(tmp_path, header):
    path = write(tmp_path / "pool.tsv", header, "one\teins")
    with pytest.raises(UserError, match=r"pool.tsv, line 1: '(qq|xx)' is not a language code"):
        open_parallel(f"parallel:{path}")


@pytest.mark.parametrize(
    ("spec", "columns", "message"),
    [
        ("parallel:{a}/none.tsv", None, "no file or folder"),
        ("parallel:{a}/x.en,{a}/none.de", None, "no file at"),
        ("parallel:qq={a}/x.en,de={a}/x.de", None, "'qq' is not a language code"),
        ("parallel:{a}/x.en,en={a}/x.de", None, "two files in en"),
        ("parallel:{a}/x.en", None, "alone holds no translations"),
        ("parallel:{a}", ["en", "qq"], "--columns: 'qq' is not a language code"),
        ("parallel:{a}", ["en"], "must name two languages"),
        ("parallel: ;", None, "holds no translations"),
    ],
)
def test_a_wrong_specification_is_one_line(tmp_path, spec, columns, message):
    write(tmp_path / "x.en", "one")
    write(tmp_path / "x.de", "eins")
    with pytest.raises(UserError, match=message) as caught:
        open_parallel(spec.format(a=tmp_path), columns=columns)
    assert "\n" not in str(caught.value)


def test_bad_rows_stop_or_are_counted(tmp_path):
    files = f"{write(tmp_path / 'x.en', 'one', 'two')},{write(tmp_path / 'x.de', 'eins', '')}"
    table = write(tmp_path / "en-fr.tsv", "en\tfr", "three\t", "four\tquatre")
    with pytest.raises(UserError, match=r"x.en,x.de, line 2: x.de is empty there"):
        list(open_parallel(files))
    source = open_parallel(f"{files};{table}", on_bad_row="skip")
    assert [row["source"] for row in source] == ["one", "four"]
    assert source.num_bad_rows == 2
    assert source.first_bad_row == "x.en,x.de, line 2: x.de is empty there, and x.en is not"


def test_a_plain_source_of_pairs_is_read_too_and_one_of_texts_refused(tmp_path):
    named = pairs_of(open_source(write(tmp_path / "named.tsv", "en\tde", "one\teins")))
    assert list(named) == [Pair(source="one", target="eins", source_language="en", target_language="de")]
    nameless = pairs_of(open_source(write(tmp_path / "nameless.tsv", "one\teins")))
    assert next(nameless).target_language == "und"
    with pytest.raises(UserError, match="single texts, not translations"):
        next(pairs_of(open_source(write(tmp_path / "texts.txt", "one"))))


def test_only_this_modules_sources_are_its_own():
    assert [is_parallel(spec) for spec in ("parallel:x", "a.tmx", "de.po", "a.tmx.gz")] == [True] * 4
    assert [is_parallel(spec) for spec in ("a.tsv", "docs:", "hf:x", "folder")] == [False] * 4


def test_one_control_character_is_skipped_and_told_and_the_memory_is_read(tmp_path):
    unit = '<tu><tuv xml:lang="en"><seg>{}</seg></tuv><tuv xml:lang="de"><seg>b</seg></tuv></tu>'
    units = "".join(unit.format(text) for text in ("one", "t\x0bwo", "three"))
    path = tmp_path / "m.tmx"
    path.write_text(f'<tmx version="1.4"><header srclang="en"/><body>{units}</body></tmx>')
    with pytest.raises(UserError, match="control character"):
        list(open_source(path))
    source = open_source(path, on_bad_row="skip")
    assert [row["source"] for row in source] == ["one", "three"]
    assert source.closing_notes()[0].startswith("1 bad row left out, the first: ")


def test_notes_of_a_table_in_a_folder_of_translations_are_told(tmp_path):
    (tmp_path / "a.tsv").write_text("en\tde\ttitle\none\teins\tx\n\ntwo\tzwei\ty\n")
    source = open_source(f"parallel:{tmp_path}")
    assert [row["target"] for row in source] == ["eins", "zwei"]
    assert source.closing_notes() == [
        "columns not read: title (read: en, de)",
        f"1 blank row left out, the first: {tmp_path / 'a.tsv'}, line 3",
    ]


def test_other_columns_beside_languages_are_left_out_of_any_table(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"id": "doc-7", "en": "one", "text": "x", "de": "eins"}\n')
    (tmp_path / "b.csv").write_text("id,en,de,url\n1,two,zwei,u\n")
    assert [(row["source"], row["target"]) for row in open_source(f"parallel:{tmp_path}")] == [
        ("one", "eins"),
        ("two", "zwei"),
    ]
