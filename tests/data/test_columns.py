import math

import pytest

from selfsent.data.columns import is_header, layout_of, row_of
from selfsent.data.formats import BadRecord
from selfsent.errors import UserError

PLACE = "f.csv, line 1"


@pytest.mark.parametrize(
    ("names", "columns"),
    [
        (["text"], ("text",)),
        (["anchor", "positive"], ("anchor", "positive")),
        (["negative", "positive", "anchor"], ("anchor", "positive", "negative")),
        (["premise", "hypothesis", "label", "source"], ("premise", "hypothesis", "label")),
        (["sentence1", "sentence2", "score"], ("sentence1", "sentence2", "score")),
        (["sentence1", "sentence2", "label"], ("sentence1", "sentence2")),
        (["target", "source"], ("source", "target")),
        (["en", "pt-BR", "hau_Latn"], ("en", "pt-BR", "hau_Latn")),
        (["id", "text"], ("text",)),
    ],
)
def test_known_names_make_a_header_and_their_canonical_columns(names: list[str], columns: tuple[str, ...]) -> None:
    assert is_header(names)
    layout = layout_of(names, None, PLACE)
    assert layout.has_header
    assert layout.columns == columns


@pytest.mark.parametrize("names", [["Hello", "text"], ["text", "text"], ["en"], ["label"], ["word1", "word2"], [""]])
def test_a_row_of_which_a_cell_is_no_known_name_is_no_header(names: list[str]) -> None:
    assert not is_header(names)


@pytest.mark.parametrize(
    ("num_cells", "columns"),
    [
        (1, ("text",)),
        (2, ("anchor", "positive")),
        (3, ("anchor", "positive", "negative")),
        (4, ("text_1", "text_2", "text_3", "text_4")),
        (5, ("text_1", "text_2", "text_3", "text_4", "text_5")),
    ],
)
def test_without_a_header_columns_count_by_position(num_cells: int, columns: tuple[str, ...]) -> None:
    layout = layout_of(["A cell."] * num_cells, None, PLACE)
    assert layout.columns == columns
    assert list(layout.keys.values()) == list(range(num_cells))


@pytest.mark.parametrize(
    ("names", "picks", "keys"),
    [
        (["en", "de", "fr"], ["de", "en"], {"de": "de", "en": "en"}),
        (["en", "de", "fr"], [3, "1"], {"fr": "fr", "en": "en"}),
        (["title", "body"], ["body"], {"text": "body"}),
        (["q", "a", "x"], ["a", "q"], {"anchor": "a", "positive": "q"}),
        (["q", "a", "x"], ["q", "a", "x"], {"anchor": "q", "positive": "a", "negative": "x"}),
        (
            ["premise", "hypothesis", "label"],
            ["premise", "hypothesis"],
            {"premise": "premise", "hypothesis": "hypothesis"},
        ),
    ],
)
def test_picked_columns_keep_known_names_and_else_count_by_position(
    names: list[str], picks: list[str | int], keys: dict[str, str]
) -> None:
    assert dict(layout_of(dict.fromkeys(names, "x"), picks, PLACE).keys) == keys


def test_a_picked_name_makes_the_first_row_a_header_even_if_others_are_unknown() -> None:
    layout = layout_of(["title", "body"], ["body"], PLACE)
    assert layout.has_header
    assert dict(layout.keys) == {"text": 1}
    assert layout.ignored == ("title",)


def test_numbers_pick_from_cells_without_a_header() -> None:
    layout = layout_of(["One.", "Two.", "deu"], [2, 1], PLACE)
    assert not layout.has_header
    assert dict(layout.keys) == {"anchor": 1, "positive": 0}
    assert layout.ignored == ("3",)


@pytest.mark.parametrize("picks", [["nope"], [4], [0], ["-1"]])
def test_a_picked_column_that_is_not_there_names_those_that_are(picks: list[str | int]) -> None:
    with pytest.raises(UserError, match=rf"line 1: there is no column {picks[0]}; the columns are a, b, c"):
        layout_of({"a": "x", "b": "y", "c": "z"}, picks, PLACE)


def test_unknown_names_are_listed_with_the_known_sets() -> None:
    with pytest.raises(UserError, match=r"columns are body, title, none of the known sets.*--columns"):
        layout_of({"body": "x", "title": "y"}, None, PLACE)


def test_a_number_called_id_is_not_taken_for_indonesian() -> None:
    assert layout_of({"id": 7, "en": "x", "de": "y"}, None, PLACE).columns == ("en", "de")


def test_a_row_is_stripped_and_holds_only_what_the_layout_says() -> None:
    layout = layout_of({"anchor": "", "positive": "", "other": ""}, None, PLACE)
    assert row_of({"anchor": " a\u3000", "positive": "\tb\n", "other": 1}, layout) == {"anchor": "a", "positive": "b"}


@pytest.mark.parametrize(
    ("label", "expected"),
    [("entailment", "entailment"), (" 2 ", 2), (1, 1), (2.0, 2), ("-1", -1)],
)
def test_a_label_is_a_name_or_an_integer(label: object, expected: str | int) -> None:
    record = {"premise": "a", "hypothesis": "b", "label": label}
    row = row_of(record, layout_of(record, None, PLACE))
    assert isinstance(row, dict)
    assert row["label"] == expected
    assert type(row["label"]) is type(expected)


@pytest.mark.parametrize("label", [None, "", 0.5, [1], math.inf])
def test_anything_else_is_no_label(label: object) -> None:
    record = {"premise": "a", "hypothesis": "b", "label": label}
    row = row_of(record, layout_of(record, None, PLACE))
    assert isinstance(row, BadRecord)
    assert "column label" in row.reason


@pytest.mark.parametrize(("score", "expected"), [("3.5", 3.5), (4, 4.0), ("1e0", 1.0)])
def test_a_score_is_a_float_whatever_the_file_says(score: object, expected: float) -> None:
    record = {"sentence1": "a", "sentence2": "b", "score": score}
    row = row_of(record, layout_of(record, None, PLACE))
    assert row == {"sentence1": "a", "sentence2": "b", "score": expected}
    assert isinstance(row["score"], float)


@pytest.mark.parametrize("score", ["high", None, "nan", math.nan, math.inf])
def test_a_score_that_is_no_finite_number_is_a_bad_row(score: object) -> None:
    record = {"sentence1": "a", "sentence2": "b", "score": score}
    assert isinstance(row_of(record, layout_of(record, None, PLACE)), BadRecord)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"anchor": "a"}, "has no column positive; its columns are anchor"),
        ({"anchor": "a", "positive": ""}, "column positive is empty"),
        ({"anchor": "a", "positive": None}, "column positive is null"),
        ({"anchor": "a", "positive": 3}, "column positive holds int"),
        ({"anchor": "a", "positive": "\ud800"}, "column positive holds half of a surrogate pair"),
    ],
)
def test_what_is_wrong_with_a_row_is_told(record: dict[str, object], reason: str) -> None:
    row = row_of(record, layout_of({"anchor": "a", "positive": "b"}, None, PLACE))
    assert isinstance(row, BadRecord)
    assert row.reason.startswith(reason)


def test_a_row_without_any_text_is_blank_and_not_bad() -> None:
    assert row_of(["", "  "], layout_of(["One.", "Two."], None, PLACE)) is None


@pytest.mark.parametrize(("cells", "columns"), [(["a"], "1 column"), (["a", "b", "c"], "3 columns")])
def test_a_ragged_row_is_bad(cells: list[str], columns: str) -> None:
    row = row_of(cells, layout_of(["One.", "Two."], None, PLACE))
    assert row == BadRecord(f"has {columns} where the first row has 2")


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (["sent0", "sent1", "hard_neg"], {"anchor": 0, "positive": 1, "negative": 2}),
        (["neg", "query", "pos"], {"anchor": 1, "positive": 2, "negative": 0}),
        (["s1", "s2", "score"], {"sentence1": 0, "sentence2": 1, "score": 2}),
        (["text_a", "text_b", "label"], {"sentence1": 0, "sentence2": 1}),
        (["_id", "title", "text", "url"], {"text": 2}),
        (["question", "answer"], {"anchor": 0, "positive": 1}),
        (["id", "answer", "question", "neg"], {"anchor": 2, "positive": 1, "negative": 3}),
        (["query", "anchor", "positive"], {"anchor": 1, "positive": 2}),
        (["", "sentence_A", "sentence_B"], {"sentence1": 1, "sentence2": 2}),
    ],
)
def test_names_of_the_field_stand_for_ours(names: list[str], keys: dict[str, int]) -> None:
    assert is_header(names)
    assert dict(layout_of(names, None, PLACE).keys) == keys


@pytest.mark.parametrize("names", [["query", "url"], ["title", "url"], ["sent0", "A man."], ["", "text", ""]])
def test_names_that_make_no_set_are_no_header(names: list[str]) -> None:
    assert not is_header(names)


def test_our_own_names_win_over_names_of_the_field() -> None:
    for one, other in (("query", "pos"), ("question", "answer")):
        record = {one: "q", other: "p", "text": "t"}
        assert layout_of(record, None, PLACE).columns == ("text",)


def test_an_id_in_front_of_translations_is_not_taken_for_indonesian() -> None:
    assert layout_of(["id", "en", "de"], None, PLACE, second=["17", "x", "y"]).columns == ("en", "de")
    assert layout_of(["id", "en"], None, PLACE, second=["Selamat pagi", "Good morning"]).columns == ("id", "en")
    assert layout_of({"id": "doc-7", "en": "x", "de": "y"}, None, PLACE).columns == ("en", "de")


def test_picked_columns_of_the_field_have_our_names_in_the_order_of_the_pick() -> None:
    layout = layout_of(["sent0", "sent1", "hard_neg"], ["sent1", "sent0"], PLACE)
    assert dict(layout.keys) == {"positive": 1, "anchor": 0}
