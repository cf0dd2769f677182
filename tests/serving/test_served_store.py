"""Documents put together from their passages."""

from hypothesis import given
from hypothesis import strategies as st

from selfsent.search.semantic_search import SemanticSearch
from selfsent.serving.served_store import ServedStore, put_together


@given(st.lists(st.tuples(st.text(min_size=1, max_size=8), st.integers(0, 4)), min_size=1, max_size=8))
def test_every_passage_stands_at_its_offsets(pieces):
    rows, at = [], 0
    for number, (text, gap) in enumerate(pieces):
        rows.append({"id": str(number), "text": text, "start": at, "end": at + len(text)})
        at += len(text) + gap
    whole, passages = put_together(rows)
    for row, passage in zip(rows, passages, strict=True):
        assert whole[passage["start"] : passage["end"]] == row["text"]
    assert len(whole) == rows[-1]["end"]
    covered = {place for row in rows for place in range(row["start"], row["end"])}
    assert all(whole[place].isspace() for place in set(range(len(whole))) - covered)


def test_passages_that_overlap_are_not_repeated():
    rows = [
        {"id": "a", "text": "one two three", "start": 0, "end": 13},
        {"id": "b", "text": "two three four", "start": 4, "end": 18},
    ]
    assert put_together(rows)[0] == "one two three four"


def test_passages_without_offsets_stand_one_after_another():
    rows = [{"id": "a", "text": "one", "start": None}, {"id": "b", "text": "two", "start": None}]
    text, passages = put_together(rows)
    assert [text[one["start"] : one["end"]] for one in passages] == ["one", "two"]


def test_the_model_of_a_store_is_opened_once(served_store):
    store = ServedStore(served_store, device="cpu")
    assert isinstance(store.search, SemanticSearch)
    assert store.facts()["documents"] == 4
