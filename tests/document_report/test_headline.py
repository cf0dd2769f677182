"""The sentences say what the figures say, in each case that there is."""

from typing import Any

import pytest

from selfsent.document_report.headline import headline, what_changed, what_was_read, what_was_skipped


def built(
    ours: dict[str, Any],
    bm25: dict[str, Any] | None = None,
    difference: float | None = None,
    ci95: list[float] | None = None,
    *,
    system: str = "hybrid",
    queries: int = 200,
) -> dict[str, Any]:
    """A report with one system, BM25 where it is given, and their difference."""
    retrieval = {system: ours} | ({} if bm25 is None else {"bm25": bm25})
    found = [] if difference is None else [{"of": system, "over": "bm25", "difference": difference, "ci95": ci95}]
    return {"retrieval": retrieval, "differences": found, "corpus": {"queries": queries}}


def first(share: float) -> dict[str, Any]:
    return {"ndcg@10": share + 0.1, "found_first": share}


def test_better_by_more_than_chance_is_said_with_its_interval():
    sentence, verdict = headline(built(first(0.58), first(0.47), 0.06, [0.031, 0.089]))
    assert sentence == "Hybrid search finds the right document first in 58 of 100 cases; BM25 in 47."
    assert verdict == "The difference is larger than chance (6.0 points of nDCG@10, 95% interval 3.1 to 8.9)."


def test_worse_by_more_than_chance_is_called_worse():
    sentence, verdict = headline(built(first(0.40), first(0.47), -0.06, [-0.089, -0.031]))
    assert sentence == "Hybrid search finds the right document first in 40 of 100 cases; BM25 in 47."
    assert verdict == (
        "That is worse than BM25, and the difference is larger than chance (6.0 points of nDCG@10, 95% interval 3.1 to "
        "8.9)."
    )


@pytest.mark.parametrize("value", [0.01, -0.01])
def test_an_interval_that_holds_zero_is_no_difference_beyond_chance(value: float):
    _, verdict = headline(built(first(0.5 + value), first(0.5), value, [-0.03, 0.04]))
    assert verdict == (
        f"This difference is not beyond chance ({100 * value:+.1f} points of nDCG@10, 95% interval -3.0 to +4.0)."
    )


def test_an_interval_that_ends_at_zero_holds_it():
    assert "not beyond chance" in headline(built(first(0.6), first(0.5), 0.1, [0.0, 0.2]))[1]


def test_a_difference_recorded_the_other_way_round_is_turned():
    report = built(first(0.58), first(0.47))
    report["differences"] = [{"of": "bm25", "over": "hybrid", "difference": -0.06, "ci95": [-0.089, -0.031]}]
    assert headline(report)[1] == (
        "The difference is larger than chance (6.0 points of nDCG@10, 95% interval 3.1 to 8.9)."
    )


def test_a_difference_without_an_interval_is_called_untested():
    _, verdict = headline(built(first(0.58), first(0.47), 0.06))
    assert verdict == "Whether the difference is larger than chance was not tested (+6.0 points of nDCG@10)."


def test_without_differences_nothing_is_said_of_chance():
    assert headline(built(first(0.58), first(0.47)))[1] == ""


@pytest.mark.parametrize(("value", "word"), [(0.06, "better"), (-0.06, "worse")])
def test_where_both_find_as_many_first_the_measure_that_differs_is_named(value: float, word: str):
    bounds = sorted([value / 2, value * 1.5])
    sentence, verdict = headline(built(first(0.5), first(0.5), value, bounds))
    assert sentence == "Hybrid search finds the right document first in 50 of 100 cases, and so does BM25."
    assert verdict == (
        f"By nDCG@10 it is {word}, by more than chance (6.0 points of nDCG@10, 95% interval 3.0 to 9.0)."
    )


def test_measures_that_disagree_are_not_mixed():
    sentence, verdict = headline(built(first(0.40), first(0.47), 0.06, [0.031, 0.089]))
    assert sentence.endswith("40 of 100 cases; BM25 in 47.")
    assert verdict.startswith("By nDCG@10 it is better, by more than chance")


def test_without_a_share_of_first_places_ndcg_is_named():
    sentence, _ = headline(built({"ndcg@10": 0.66}, {"ndcg@10": 0.561}))
    assert sentence == "Hybrid search has an nDCG@10 of 66.0; BM25 has 56.1."


def test_without_bm25_only_the_search_is_named():
    assert headline(built(first(0.58))) == (
        "Hybrid search finds the right document first in 58 of 100 cases.",
        "",
    )


def test_without_hybrid_search_the_model_alone_is_named():
    sentence, _ = headline(built(first(0.53), first(0.47), system="trained"))
    assert sentence == "This model alone finds the right document first in 53 of 100 cases; BM25 in 47."


def test_few_cases_are_said_to_be_few():
    assert headline(built(first(0.58), first(0.47), queries=7))[1] == (
        "Only 7 cases were tested, so the figures are rough."
    )
    assert headline(built(first(0.58), queries=1))[1] == "Only 1 case was tested, so the figures are rough."


@pytest.mark.parametrize(
    ("report", "sentence"),
    [
        ({}, ""),
        ({"retrieval": {}, "documents": {"read": 3}}, "How good the search is was not measured."),
        ({"documents": {"read": 0}}, "No document could be read."),
        ({"retrieval": {"bm25": {"ndcg@10": 0.5}}}, ""),
        (
            {"retrieval": {"hybrid": {"ndcg@10": float("nan")}}, "documents": {"read": 1}},
            "How good the search is was not measured.",
        ),
    ],
)
def test_what_was_not_measured_is_not_claimed(report: dict[str, Any], sentence: str):
    assert headline(report) == (sentence, "")


def test_a_tiny_difference_is_not_shown_as_zero():
    _, verdict = headline(built(first(0.5), first(0.49), 0.0004, [0.0002, 0.0006]))
    assert "(0.04 points of nDCG@10, 95% interval 0.02 to 0.1)" in verdict


def test_what_was_read_skipped_and_changed_is_counted(report: dict[str, Any]):
    assert what_was_read(report) == "Read 212 documents, 3,411 passages and 812,345 words."
    assert what_was_read({"documents": {"read": 1}}) == "Read 1 document."
    assert what_changed(report) == "Since last time: 3 new, 1 updated, 2 removed, 206 unchanged."
    assert {reason: count for reason, (count, _) in what_was_skipped(report).items()} == {
        "no text in it (scanned?)": 30,
        "a password is needed": 1,
    }
    assert what_was_read({}) == what_changed({}) == ""
    assert what_was_skipped({}) == {}
