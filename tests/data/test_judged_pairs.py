"""Judged pairs: classes by number, scores from 0 to 1, and what is refused or left out on the way."""

import json
from pathlib import Path
from typing import Any

import pytest

from selfsent.data.judged_pairs import ClassifiedPairs, RatedPairs, label_number, require_columns
from selfsent.data.source import Source
from selfsent.data.sources import open_source
from selfsent.errors import UserError


def source_of(folder: Path, rows: list[dict[str, Any]], **options: Any) -> Source:
    path = folder / "pairs.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf8")
    return open_source(path, **options)


def nli(*labels: str | int) -> list[dict[str, Any]]:
    return [{"premise": f"p{i}", "hypothesis": f"h{i}", "label": label} for i, label in enumerate(labels)]


def scored(*scores: float) -> list[dict[str, Any]]:
    return [{"sentence1": f"a{i}", "sentence2": f"b{i}", "score": score} for i, score in enumerate(scores)]


@pytest.mark.parametrize(
    ("label", "number"),
    [
        ("entailment", 0),
        ("Contradiction ", 2),
        (1, 1),
        ("2", 2),
        pytest.param("-", None, id="SNLI's mark of disagreement"),
        pytest.param(-1, None, id="the hub's mark of disagreement"),
    ],
)
def test_a_label_is_numbered_by_name_or_by_number(label: str | int, number: int | None):
    assert label_number(label, ("entailment", "neutral", "contradiction")) == number


@pytest.mark.parametrize("label", ["entails", 3, "-2", 0.5, "²"])
def test_a_label_outside_the_set_is_refused_with_the_set(label: str | float):
    with pytest.raises(ValueError, match="entailment, neutral"):
        label_number(label, ("entailment", "neutral"))


def test_a_name_of_the_set_wins_over_the_marks_of_disagreement():
    assert label_number("hidden", ("shown", "hidden")) == 1


def test_pairs_come_with_the_number_of_their_class_and_the_others_are_counted(tmp_path: Path):
    pairs = ClassifiedPairs(source_of(tmp_path, nli("neutral", "-", "entailment", "entailment")))
    assert list(pairs) == [
        {"premise": "p0", "hypothesis": "h0", "label": 1},
        {"premise": "p2", "hypothesis": "h2", "label": 0},
        {"premise": "p3", "hypothesis": "h3", "label": 0},
    ]
    assert pairs.num_unlabelled == 1
    assert "2 entailment, 1 neutral, 0 contradiction" in pairs.note()
    assert len(list(pairs)) == 3
    assert pairs.num_unlabelled == 1, "counts are those of one pass"


def test_names_and_numbers_may_be_mixed(tmp_path: Path):
    assert [pair["label"] for pair in ClassifiedPairs(source_of(tmp_path, nli("neutral", 2, "0")))] == [1, 2, 0]


def test_an_unknown_label_names_file_and_line(tmp_path: Path):
    with pytest.raises(
        UserError, match=r"pairs\.jsonl, line 2: the label must be one of entailment.*got 'maybe'"
    ) as one:
        list(ClassifiedPairs(source_of(tmp_path, nli("neutral", "maybe", 0))))
    assert "\n" not in str(one.value)


def test_an_unknown_label_is_counted_where_bad_rows_are_skipped(tmp_path: Path):
    source = source_of(tmp_path, nli("neutral", "maybe", 0, 7), on_bad_row="skip")
    assert len(list(ClassifiedPairs(source))) == 2
    assert source.num_bad_rows == 2
    assert "line 2" in str(source.first_bad_row)


@pytest.mark.parametrize("labels", [("neutral", "neutral"), ("-", "-")])
def test_fewer_than_two_classes_are_refused(tmp_path: Path, labels: tuple[str, ...]):
    with pytest.raises(UserError, match="a classifier needs two"):
        list(ClassifiedPairs(source_of(tmp_path, nli(*labels))))


def test_other_classes_are_numbered_in_the_order_given(tmp_path: Path):
    pairs = ClassifiedPairs(source_of(tmp_path, nli("yes", "no")), labels=("no", "yes"))
    assert [pair["label"] for pair in pairs] == [1, 0]


def test_scores_are_mapped_to_zero_and_one(tmp_path: Path):
    assert [pair["score"] for pair in RatedPairs(source_of(tmp_path, scored(0, 2.5, 5)))] == [0.0, 0.5, 1.0]
    narrow = RatedPairs(source_of(tmp_path, scored(1, 2, 5)), lowest=1, highest=5)
    assert [pair["score"] for pair in narrow] == [0.0, 0.25, 1.0]


@pytest.mark.parametrize("score", [-0.1, 5.01])
def test_a_score_outside_the_range_names_file_and_line_or_is_counted(tmp_path: Path, score: float):
    with pytest.raises(UserError, match=r"pairs\.jsonl, line 2: the score must be 0 to 5"):
        list(RatedPairs(source_of(tmp_path, scored(1, score))))
    source = source_of(tmp_path, scored(1, score), on_bad_row="skip")
    assert len(list(RatedPairs(source))) == 1
    assert source.num_bad_rows == 1


@pytest.mark.parametrize("bounds", [(5, 0), (1, 1), (float("nan"), 1)])
def test_an_empty_range_is_refused(tmp_path: Path, bounds: tuple[float, float]):
    with pytest.raises(UserError, match="lower one"):
        RatedPairs(source_of(tmp_path, scored(1)), lowest=bounds[0], highest=bounds[1])


def test_other_columns_are_refused_with_those_there_and_those_needed(tmp_path: Path):
    source = source_of(tmp_path, scored(1))
    require_columns(source, ("score", "sentence2", "sentence1"), method="any")
    with pytest.raises(UserError, match=r"some method learns from premise, hypothesis, label; .* sentence1, sentence2"):
        require_columns(source, ClassifiedPairs.columns, method="some method")
