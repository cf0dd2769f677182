"""Training rows: each once, in order, with counts of repeated rows and cut texts that add up."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from selfsent.data.sources import open_source
from selfsent.data.training_rows import TrainingRows, texts_of
from selfsent.errors import UserError


def rows_of(*texts: str, **options: Any) -> TrainingRows:
    return TrainingRows(lambda: [{"text": text} for text in texts], ("text",), **options)


def test_each_row_comes_once_where_it_first_stood_and_the_rest_are_counted():
    rows = rows_of("b", "a", "b", "c", "a", "b")
    assert [row["text"] for row in rows] == ["b", "a", "c"]
    assert (rows.num_rows, rows.num_repeated) == (3, 3)
    assert [row["text"] for row in rows] == ["b", "a", "c"]
    assert (rows.num_rows, rows.num_repeated) == (3, 3), "counts are those of one pass"
    assert rows.notes() == ["3 rows of text; 3 repeated rows left out"]


def test_rows_differ_if_any_column_does_and_columns_do_not_run_into_each_other():
    rows = [{"a": "x y", "b": "z", "label": 0}, {"a": "x", "b": "y z", "label": 0}, {"a": "x", "b": "y z", "label": 1}]
    assert len(list(TrainingRows(lambda: rows, ("a", "b", "label")))) == 3
    assert len(list(TrainingRows(lambda: rows, ("a", "b")))) == 2


def test_rows_are_read_as_they_are_asked_for_and_not_held():
    given = 0

    def rows() -> Iterator[dict[str, str]]:
        nonlocal given
        for given in range(1, 100_001):
            yield {"text": str(given)}

    next(iter(TrainingRows(rows, ("text",))))
    assert given <= 1000


def test_texts_that_will_be_cut_are_counted_with_special_tokens_and_without_labels(
    tiny_tokenizer: PreTrainedTokenizerFast,
):
    texts = ["the cat", "the cat sleeps on the warm roof", "a cat is sleeping on a roof in the sun and a dog is not"]
    lengths = [len(tiny_tokenizer(text)["input_ids"]) for text in texts]
    rows = [{"a": text, "b": "the cat", "label": 1} for text in texts]
    limited = TrainingRows(
        lambda: rows, ("a", "b", "label"), tokenizer=tiny_tokenizer, max_seq_length=sorted(lengths)[1]
    )
    list(limited)
    assert (limited.num_texts, limited.num_cut) == (6, 1)
    assert limited.notes()[1].startswith(f"1 of 6 texts (16.7%) are longer than {sorted(lengths)[1]} tokens")


def test_nothing_is_said_of_cut_texts_where_none_is_cut_or_there_is_no_limit(tiny_tokenizer: PreTrainedTokenizerFast):
    for options in ({"max_seq_length": 99}, {"max_seq_length": None}):
        rows = rows_of("the cat sleeps", tokenizer=tiny_tokenizer, **options)
        list(rows)
        assert len(rows.notes()) == 1


def test_no_row_at_all_is_refused():
    with pytest.raises(UserError, match="no row to train on"):
        list(rows_of())


def test_every_text_of_every_row_is_a_row(tmp_path: Path):
    path = tmp_path / "pairs.tsv"
    path.write_text("a\tb\nc\td\n", encoding="utf8")
    assert [row["text"] for row in texts_of(open_source(path))] == ["a", "b", "c", "d"]
