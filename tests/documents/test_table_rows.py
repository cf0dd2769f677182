import pytest

from selfsent.data.bad_rows import BadRows
from selfsent.data.formats import BadRecord, Record
from selfsent.documents.document import Document
from selfsent.documents.table_rows import Fields, fields_of, read_rows
from selfsent.errors import UserError


def read(records: list[Record | BadRecord], fields: Fields, *, on_bad_row: str = "stop") -> list[Document]:
    bad_rows = BadRows(on_bad_row=on_bad_row)  # pyright: ignore[reportArgumentType]
    return list(read_rows(lambda: iter(enumerate(records, 1)), fields, "t", bad_rows))


def test_title_text_and_id_are_read_by_their_names() -> None:
    record = {"_id": 7, "url": "http://x", "title": "T\n t", "text": " one ", "year": 1990}
    fields = fields_of(record, None, "line 1")
    assert (fields.texts, fields.title, fields.id, fields.ignored) == (("text",), "title", "_id", ("url", "year"))
    assert read([record], fields) == [Document(id="7", title="T t", text="one", file="t", line=1)]


@pytest.mark.parametrize(("names", "expected"), [("_id id url", "_id"), ("id url", "id"), ("url", "url"), ("x", None)])
def test_the_id_is_the_first_of_the_known_names(names: str, expected: str | None) -> None:
    assert fields_of(dict.fromkeys(["text", *names.split()], "a"), None, "line 1").id == expected


def test_a_row_without_an_id_is_named_by_its_line() -> None:
    fields = Fields(texts=("text",), id="id")
    records = [{"text": "a", "id": ""}, {"text": "b", "id": None}, {"text": "c"}]
    assert [document.id for document in read(records, fields)] == ["t:1", "t:2", "t:3"]


def test_rows_with_a_title_alone_stay_and_rows_with_nothing_go() -> None:
    fields = fields_of({"title": "T", "text": ""}, None, "line 1")
    records = [{"title": "T", "text": ""}, {"title": "", "text": "  "}, {"title": None, "text": "x"}]
    assert [(document.title, document.text) for document in read(records, fields)] == [("T", ""), ("", "x")]


def test_several_columns_of_text_are_joined() -> None:
    record = {"question": "Why?", "answer": "Because.", "title": "T", "id": "1"}
    fields = fields_of(record, ["question", "answer"], "line 1")
    assert read([record], fields) == [Document(id="1", title="T", text="Why?\n\nBecause.", file="t", line=1)]


def test_a_table_of_pairs_is_a_document_a_pair() -> None:
    record = {"anchor": "Why?", "positive": "Because."}
    assert read([record], fields_of(record, None, "line 1"))[0].text == "Why?\n\nBecause."


def test_a_first_row_that_names_text_is_a_header() -> None:
    fields = fields_of(["id", "title", "text", "year"], None, "line 1")
    assert fields == Fields(texts=(2,), title=1, id=0, num_cells=4, has_header=True, ignored=("year",))
    documents = read([["id", "title", "text", "year"], ["5", "T", "one", "1990"]], fields)
    assert documents == [Document(id="5", title="T", text="one", file="t", line=2)]


def test_a_first_row_that_names_nothing_is_a_row() -> None:
    fields = fields_of(["some text here", "and more"], None, "line 1")
    assert read([["some text here", "and more"]], fields)[0].text == "some text here\n\nand more"


def test_a_first_row_that_looks_like_names_above_one_that_does_not_is_a_header() -> None:
    with pytest.raises(UserError, match="the columns are body, year"):
        fields_of(["body", "year"], None, "line 1", ["A text of words.", "1990"])
    assert not fields_of(["cat", "dog"], None, "line 1", ["sun", "moon"]).has_header
    assert not fields_of(["cat"], None, "line 1", ["a text"]).has_header


def test_unknown_names_are_refused_with_what_there_is() -> None:
    with pytest.raises(UserError, match="the columns are body, year"):
        fields_of({"body": "x", "year": 1}, None, "line 1")
    with pytest.raises(UserError, match="there is no column bodi"):
        fields_of({"body": "x", "year": 1}, ["bodi"], "line 1")


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"text": 3}, "column text holds int, not a text"),
        ({"other": "x"}, "has no column text; its columns are other"),
        (BadRecord("malformed JSON"), "malformed JSON"),
    ],
)
def test_a_bad_row_stops_or_is_counted(record: Record | BadRecord, reason: str) -> None:
    records = [{"text": "a"}, record, {"text": "b"}]
    with pytest.raises(UserError, match=f"t, line 2: {reason}"):
        read(records, Fields(texts=("text",)))
    assert [document.text for document in read(records, Fields(texts=("text",)), on_bad_row="skip")] == ["a", "b"]


def test_a_row_with_too_few_cells_is_bad() -> None:
    with pytest.raises(UserError, match="has 1 column where the first row has 2"):
        read([["a", "b"], ["c"]], Fields(texts=(0,), num_cells=2))


def test_a_quote_that_is_never_closed_is_suspected() -> None:
    with pytest.raises(UserError, match="has 1 column where the first row has 2; it spans 3 lines: is a quote in it"):
        read([["a", "b"], ["c\nd\ne"]], Fields(texts=(0,), num_cells=2))


def test_half_a_surrogate_pair_is_dropped_and_the_row_kept() -> None:
    assert read([{"text": "a\ud800b"}], Fields(texts=("text",)))[0].text == "ab"
