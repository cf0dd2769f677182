import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfsent.data.sources import open_source
from selfsent.errors import UserError


def texts_of(path: Path, **options: object) -> list[str]:
    return list(open_source(path, **options).texts())  # pyright: ignore[reportArgumentType]


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
    return path


def test_rows_hold_texts_and_where_they_stand(tmp_path: Path) -> None:
    source = open_source(write(tmp_path / "a.txt", "one\n\n two \r\n"))
    assert source.columns == ("text",)
    assert source.provenance_columns == ("file", "line")
    assert list(source) == [{"text": "one", "file": "a.txt", "line": 1}, {"text": "two", "file": "a.txt", "line": 3}]


def test_a_source_can_be_read_again_and_again(tmp_path: Path) -> None:
    source = open_source(write(tmp_path / "a.txt", "one\ntwo\n"))
    first, second = iter(source), iter(source)
    assert next(first) == next(second)
    assert list(source) == list(source)


def test_texts_are_those_of_every_text_column_in_order(tmp_path: Path) -> None:
    source = open_source(write(tmp_path / "a.csv", "premise,hypothesis,label\na,b,1\nc,d,2\n"))
    assert source.text_columns == ("premise", "hypothesis")
    assert list(source.texts()) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("header", ["", "anchor,positive\n"])
def test_a_csv_pair_is_the_same_with_and_without_a_header(tmp_path: Path, header: str) -> None:
    source = open_source(write(tmp_path / "a.csv", header + '"x, y",z\n'))
    assert source.columns == ("anchor", "positive")
    assert list(source.texts()) == ["x, y", "z"]


def test_four_cells_are_four_texts_of_one_thing(tmp_path: Path) -> None:
    assert open_source(write(tmp_path / "a.tsv", "a\tb\tc\td\n")).columns == ("text_1", "text_2", "text_3", "text_4")


def test_columns_that_are_not_read_are_named_once(tmp_path: Path) -> None:
    for name in "ab":
        write(tmp_path / f"{name}.jsonl", '{"premise": "p", "hypothesis": "h", "label": 1, "source": "snli"}\n' * 3)
    assert open_source(tmp_path).notes == ["columns not read: source (read: premise, hypothesis, label)"]


def test_a_header_of_unknown_names_is_read_as_texts_and_said_so(tmp_path: Path) -> None:
    source = open_source(write(tmp_path / "a.tsv", "sentence\tlabel\nGood.\t1\n"))
    assert "is read as texts" in source.notes[0]
    assert next(iter(source))["anchor"] == "sentence"


def test_equal_content_has_an_equal_hash_however_it_is_stored(tmp_path: Path) -> None:
    plain = open_source(write(tmp_path / "a.txt", "one\ntwo\n"))
    stored = [
        write(tmp_path / "b.txt.gz", "one\r\n\r\ntwo"),
        write(tmp_path / "c.csv", "text\none\ntwo\n"),
        write(tmp_path / "d.jsonl", '{"text": "one"}\n{"text": "two", "id": 3}\n'),
    ]
    for path in stored:
        assert open_source(path).sha256() == plain.sha256()
    assert open_source(write(tmp_path / "e.txt", "two\none\n")).sha256() != plain.sha256()
    assert open_source(stored[0], max_rows=1).sha256() != plain.sha256()


def test_a_hash_is_that_of_a_whole_pass_and_not_of_a_part(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "one\ntwo\n")
    source = open_source(path)
    next(iter(source))
    assert source.sha256() == open_source(path).sha256()


def test_max_rows_counts_good_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"text": "1"}\nbroken\n{"text": "2"}\n{"text": "3"}\n')
    source = open_source(path, max_rows=2, on_bad_row="skip")
    assert list(source.texts()) == ["1", "2"]


def test_a_folder_is_read_recursively_in_order_without_hidden_files(tmp_path: Path) -> None:
    write(tmp_path / "b.txt", "3\n")
    write(tmp_path / "a" / "z.txt.gz", "1\n2\n")
    write(tmp_path / "c.jsonl", json.dumps({"text": "4"}))
    write(tmp_path / "empty.txt", "")
    write(tmp_path / ".hidden.txt", "no\n")
    write(tmp_path / ".git" / "x.txt", "no\n")
    write(tmp_path / "cover.png", "no\n")
    source = open_source(tmp_path)
    assert list(source.texts()) == ["1", "2", "3", "4"]
    assert [row["file"] for row in source] == ["a/z.txt.gz", "a/z.txt.gz", "b.txt", "c.jsonl"]
    assert source.notes == ["files not read, of no known format: cover.png"]


def test_a_folder_of_mixed_columns_names_both_files(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "one\n")
    write(tmp_path / "b.tsv", "one\ttwo\n")
    with pytest.raises(UserError, match=r"mixes columns: .*a\.txt holds text and .*b\.tsv holds anchor, positive"):
        open_source(tmp_path)


def test_a_folder_without_a_known_file_lists_the_known_formats(tmp_path: Path) -> None:
    write(tmp_path / "a.pdf", "x")
    with pytest.raises(UserError, match=r"holds no file of a known format; known are \.txt"):
        open_source(tmp_path)


@pytest.mark.parametrize("content", ["", "\n \n", "\ufeff"])
def test_an_empty_source_is_an_error(tmp_path: Path, content: str) -> None:
    with pytest.raises(UserError, match="is empty"):
        open_source(write(tmp_path / "a.txt", content))


@pytest.mark.parametrize("content", ["anchor,positive\n", ",\n,\n"])
def test_a_source_of_a_header_or_blank_cells_alone_is_empty(tmp_path: Path, content: str) -> None:
    with pytest.raises(UserError, match="is empty"):
        open_source(write(tmp_path / "a.csv", content))


def test_a_missing_path_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file or folder at"):
        open_source(tmp_path / "nope.txt")


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("a.jsonl", '{"text": "x"}\n{"text": "y"\n', r"a\.jsonl, line 2: malformed JSON"),
        ("a.jsonl", '{"text": "x"}\n{"body": "y"}\n', r"a\.jsonl, line 2: has no column text; its columns are body"),
        ("a.csv", "a,b\nc,d,e\n", r"a\.csv, line 2: has 3 columns where the first row has 2"),
        ("a.tsv", "a\tb\n\nc\n", r"a\.tsv, line 3: has 1 column where the first row has 2"),
        ("a.tsv", "sentence1\tsentence2\tscore\na\tb\thigh\n", r"a\.tsv, line 2: column 3 holds 'high', not a score"),
    ],
)
def test_a_bad_row_names_file_and_line(tmp_path: Path, name: str, content: str, place: str) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(UserError, match=place):
        texts_of(path)


def test_bad_rows_are_skipped_and_counted_where_wanted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", 'broken\n{"text": "1"}\n{"text": 2}\n{"text": "3"}\n')
    source = open_source(path, on_bad_row="skip")
    assert [list(source.texts()), list(source.texts())] == [["1", "3"]] * 2
    assert source.num_bad_rows == 2
    assert source.first_bad_row is not None
    assert "line 1: malformed JSON" in source.first_bad_row


def test_a_source_of_bad_rows_alone_says_what_is_wrong_with_them(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"text": 1}\n{"text": 2}\n')
    with pytest.raises(UserError, match=r"no row with a text; the first bad row is .*line 1: column text holds int"):
        open_source(path, on_bad_row="skip")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"max_rows": 0}, "max_rows must be at least 1, got 0"),
        ({"on_bad_row": "ignore"}, "must be stop or skip, got .ignore."),
        ({"columns": []}, "columns must name at least one"),
        ({"columns": ["body"]}, "there is no column body; the columns are text"),
        ({"columns": [2]}, "there is no column 2; the columns are text"),
    ],
)
def test_a_mistaken_option_is_explained(tmp_path: Path, options: dict[str, object], text: str) -> None:
    with pytest.raises(UserError, match=text):
        texts_of(write(tmp_path / "a.txt", "one\n"), **options)


def test_reading_is_lazy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from selfsent.data import formats

    taken: list[int] = []

    def endless(_: Path) -> Iterator[tuple[int, tuple[str]]]:
        number = 0
        while True:
            number += 1
            taken.append(number)
            yield number, (f"text {number}",)

    monkeypatch.setitem(formats.READERS, ".txt", endless)
    rows = iter(open_source(write(tmp_path / "a.txt", "x")))
    next(rows)
    assert max(taken) <= 2


def test_unknown_parts_of_the_embedded_corpus_are_refused() -> None:
    with pytest.raises(UserError, match=r"docs:test.*`docs:heldout`"):
        open_source("docs:test")


@pytest.mark.parametrize(
    ("name", "columns", "num_rows"),
    [
        ("corpus/wikitext2-test.txt.xz", ("text",), None),
        ("nli/triplets.jsonl.xz", ("anchor", "positive", "negative"), 22_924),
        ("paraphrase/captions.tsv.xz", ("text_1", "text_2", "text_3", "text_4", "text_5"), 29_000),
        ("parallel/multi30k/test.tsv", ("en", "de", "fr", "cs"), 1000),
        ("sts/STSBenchmark/dev.jsonl", ("sentence1", "sentence2", "score"), 1500),
    ],
)
def test_real_files_read_as_their_readme_says(
    data_dir: Path, name: str, columns: tuple[str, ...], num_rows: int | None
) -> None:
    source = open_source(data_dir / name)
    assert source.columns == columns
    read = sum(1 for _ in source)
    assert num_rows is None or read == num_rows


def test_closing_notes_say_all_that_a_source_has_to_say_once(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"text": "1", "id": 1}\nbroken\n{"text": 2}\n{"text": "3"}\n')
    source = open_source(path, on_bad_row="skip")
    assert list(source.texts()) == ["1", "3"]
    reading, bad = source.closing_notes()
    assert reading == "columns not read: id (read: text)"
    assert bad.startswith(f"2 bad rows left out, the first: {path}, line 2: malformed JSON")
    next(iter(source))  # a pass that stops early does not hide what a whole one met
    assert source.closing_notes() == [reading, bad]


def test_a_source_without_fault_has_nothing_to_say(tmp_path: Path) -> None:
    source = open_source(write(tmp_path / "a.txt", "one\ntwo\n"), on_bad_row="skip")
    assert list(source.texts()) == ["one", "two"]
    assert source.closing_notes() == []


def test_one_stray_quote_stops_at_its_line_or_is_told_with_all_it_swallowed(tmp_path: Path) -> None:
    rows = ["left,right"] * 301
    rows[6] = 'left,"right'
    path = write(tmp_path / "a.csv", "\n".join(rows) + "\n")
    with pytest.raises(UserError, match=r"a\.csv, line 7: a quote opened in line 7 .* covers lines 7 to 301"):
        texts_of(path)
    source = open_source(path, on_bad_row="skip")
    assert len(list(source)) == 6
    (note,) = source.closing_notes()
    assert note.startswith(f"1 bad row (295 lines) left out, the first: {path}, line 7: a quote opened in line 7")


def test_two_stray_quotes_that_make_one_good_record_of_many_lines_are_told(tmp_path: Path) -> None:
    rows = ["left,right"] * 301
    rows[6], rows[149] = 'left,"right', 'right"'
    source = open_source(write(tmp_path / "a.csv", "\n".join(rows) + "\n"))
    assert len(list(source)) == 158
    (note,) = source.closing_notes()
    assert "line 7: the record spans 144 lines" in note


def test_a_ragged_record_says_how_many_lines_it_spans(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'a,b\n"c\nd\ne"\nf,g\n')
    with pytest.raises(
        UserError, match=r"line 2: has 1 column where the first row has 2; it spans 3 lines: is a quote"
    ):
        texts_of(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "one\n\n \ntwo\n"),
        ("a.jsonl", '{"text": "one"}\n\n{"text": " "}\n{"text": "two"}\n'),
        ("a.csv", 'one\n\n""\ntwo\n'),
    ],
)
def test_blank_rows_are_counted_so_that_rows_can_be_mapped_to_lines(tmp_path: Path, name: str, content: str) -> None:
    source = open_source(write(tmp_path / name, content))
    assert [(row["text"], row["line"]) for row in source] == [("one", 1), ("two", 4)]
    assert source.closing_notes() == [f"2 blank rows left out, the first: {tmp_path / name}, line 2"]


def test_simcse_names_its_columns_in_the_first_row(tmp_path: Path) -> None:
    source = open_source(write(tmp_path / "nli.csv", "sent0,sent1,hard_neg\nA man.,Someone.,Nobody.\n"))
    assert [source.columns, list(source.texts())] == [
        ("anchor", "positive", "negative"),
        ["A man.", "Someone.", "Nobody."],
    ]
    assert source.notes == []


UNKNOWN_HEADER = "phrase,gold\nA man walks by.,3\nA cat.,4\n"


@pytest.mark.parametrize("columns", [None, ["1"], [1]])
def test_a_first_row_of_identifiers_that_no_other_row_resembles_is_told(
    tmp_path: Path, columns: list[str | int] | None
) -> None:
    source = open_source(write(tmp_path / "a.csv", UNKNOWN_HEADER), columns=columns)
    assert next(source.texts()) == "phrase"
    assert "(phrase, gold) is read as texts, not as a header" in source.notes[0]
    assert "`--header yes` if it is one" in source.notes[0]


def test_a_first_row_like_all_others_is_no_header(tmp_path: Path) -> None:
    assert open_source(write(tmp_path / "a.csv", "car,automobile\ntree,plant\n")).notes == []
    assert open_source(write(tmp_path / "a.txt", "Introduction\nThis is the first line.\n")).notes == []


@pytest.mark.parametrize(
    ("header", "columns", "texts"),
    [
        (True, ["1"], ["A man walks by.", "A cat."]),
        (True, None, ["A man walks by.", "3", "A cat.", "4"]),
        (False, None, ["phrase", "gold", "A man walks by.", "3", "A cat.", "4"]),
        (False, [1], ["phrase", "A man walks by.", "A cat."]),
    ],
)
def test_who_says_whether_there_is_a_header_is_believed(
    tmp_path: Path, header: bool, columns: list[str | int] | None, texts: list[str]
) -> None:
    source = open_source(write(tmp_path / "a.csv", UNKNOWN_HEADER), header=header, columns=columns)
    assert list(source.texts()) == texts
    assert not any("header" in note for note in source.notes)


def test_a_known_header_can_be_read_as_a_text(tmp_path: Path) -> None:
    assert texts_of(write(tmp_path / "a.txt", "text\none\n"), header=False) == ["text", "one"]


def test_a_header_is_said_to_be_of_no_use_where_columns_have_names(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"text": "one"}\n')
    assert open_source(path, header=True).notes == [
        f"--header is not used for {path}: its columns have names of their own"
    ]
    with pytest.raises(UserError, match="names its columns itself"):
        open_source("docs:", header=True)


@pytest.mark.parametrize("columns", ["²", "1" * 5000, "999999999999", "٣"])
def test_a_number_that_counts_no_column_is_one_line(tmp_path: Path, columns: str) -> None:
    with pytest.raises(UserError, match=r"there is no column .*; the columns are anchor, positive$") as error:
        open_source(write(tmp_path / "a.csv", "anchor,positive\na,b\n"), columns=[columns])
    assert len(str(error.value)) < 400


def test_a_number_counts_columns_even_where_a_text_is_that_number(tmp_path: Path) -> None:
    assert texts_of(write(tmp_path / "a.tsv", "2\tone\n1\ttwo\n"), columns=["2"]) == ["one", "two"]


def test_more_rows_than_any_machine_can_count_are_all_rows(tmp_path: Path) -> None:
    assert texts_of(write(tmp_path / "a.txt", "one\ntwo\n"), max_rows=10**30) == ["one", "two"]


def test_numbers_beyond_what_a_row_can_hold_are_bad_rows(tmp_path: Path) -> None:
    score = "1" + "0" * 400
    lines = [f'{{"sentence1": "a", "sentence2": "b", "score": {value}}}' for value in (score, "NaN", score * 20, "2")]
    source = open_source(write(tmp_path / "a.jsonl", "\n".join(lines)), on_bad_row="skip")
    assert [row["score"] for row in source] == [2.0]
    assert source.num_bad_rows == 3


@pytest.mark.parametrize("index", ["", "Unnamed: 0"])
def test_the_row_numbers_that_pandas_writes_are_no_column_of_texts(tmp_path: Path, index: str) -> None:
    source = open_source(write(tmp_path / "a.csv", f"{index},text\n0,one\n1,two\n"))
    assert [source.columns, list(source.texts()), source.notes] == [("text",), ["one", "two"], []]


def test_a_message_about_a_row_of_very_many_columns_is_one_short_line(tmp_path: Path) -> None:
    record = json.dumps({f"key{number}": "x" for number in range(5000)})
    with pytest.raises(UserError, match=r"key19 and 4,980 more, none of the known sets") as error:
        open_source(write(tmp_path / "a.jsonl", record))
    assert len(str(error.value)) < 700
