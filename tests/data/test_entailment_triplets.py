"""Triplets of natural language inference: which rows make one, and that every pass makes the same."""

import json
from pathlib import Path

import pytest

from selfsent.data.entailment_triplets import EntailmentTriplets
from selfsent.data.source import Source
from selfsent.data.sources import open_source
from selfsent.errors import UserError

ROWS = [
    ("dogs run", "animals move", "entailment"),
    ("dogs run", "a race", "neutral"),
    ("cats nap", "animals rest", "entailment"),
    ("dogs run", "dogs lie", "contradiction"),
    ("dogs run", "legs are used", "entailment"),
    ("cats nap", "cats are not dogs", "neutral"),
    ("it rains", "it is dry", "contradiction"),
]


def source_of(folder: Path, rows: list[tuple[str, str, str]], **options: str) -> Source:
    path = folder / "nli.jsonl"
    named = [dict(zip(("premise", "hypothesis", "label"), row, strict=True)) for row in rows]
    path.write_text("\n".join(json.dumps(row) for row in named), encoding="utf8")
    return open_source(path, **options)


def test_each_entailed_sentence_of_a_premise_with_a_contradiction_gives_one_triplet(tmp_path: Path):
    triplets = EntailmentTriplets(source_of(tmp_path, ROWS))
    assert list(triplets) == [
        {"anchor": "dogs run", "positive": "animals move", "negative": "dogs lie"},
        {"anchor": "dogs run", "positive": "legs are used", "negative": "dogs lie"},
    ]
    assert triplets.note().startswith("1 of 3 premises")


def test_the_contradiction_is_one_of_the_premises_own_and_the_same_in_every_pass(tmp_path: Path):
    many = [("p", f"false {i}", "contradiction") for i in range(9)] + [
        ("p", f"true {i}", "entailment") for i in range(60)
    ]
    triplets = EntailmentTriplets(source_of(tmp_path, many))
    first = list(triplets)
    assert first == list(triplets)
    # 60 draws among 9: that one is never drawn has a chance of 9 * (8/9)^60, below one in a hundred; the hash is fixed.
    assert {row["negative"] for row in first} == {f"false {i}" for i in range(9)}


def test_rows_without_an_agreed_label_are_no_premise_of_anything(tmp_path: Path):
    rows = [*ROWS[:4], ("dogs run", "who knows", "-")]
    assert list(EntailmentTriplets(source_of(tmp_path, rows))) == [
        {"anchor": "dogs run", "positive": "animals move", "negative": "dogs lie"}
    ]


def test_labels_may_be_numbers(tmp_path: Path):
    rows = [("p", "true", "0"), ("p", "false", "2")]
    assert list(EntailmentTriplets(source_of(tmp_path, rows))) == [
        {"anchor": "p", "positive": "true", "negative": "false"}
    ]


def test_an_unknown_label_names_its_line_or_is_counted_where_bad_rows_are_skipped(tmp_path: Path):
    rows = [*ROWS[:4], ("dogs run", "dogs fly", "nonsense")]
    with pytest.raises(UserError, match=r"nli\.jsonl, line 5: the label must be one of .*got 'nonsense'"):
        list(EntailmentTriplets(source_of(tmp_path, rows)))
    source = source_of(tmp_path, rows, on_bad_row="skip")
    assert len(list(EntailmentTriplets(source))) == 1
    assert source.num_bad_rows == 1
