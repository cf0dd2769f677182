"""A person's own labels: pairs with scores, collections with judgements."""

import pytest
from tests.evaluation.evaluation_data import Other, Table, collection, write_tsv

from selfsent.errors import UserError
from selfsent.evaluation import paired_differences
from selfsent.evaluation.tasks.pairs import evaluate_own_labels


def own_pairs(path):
    return write_tsv(path, [["sentence1", "sentence2", "score"], *([f"a {i}", f"b {i}", str(i % 3)] for i in range(9))])


def test_own_labels_score_several_models_and_pair_them(tmp_path):
    reports = evaluate_own_labels(
        [Table(), Other()], pairs=own_pairs(tmp_path / "mine.tsv"), qrels=collection(tmp_path / "toy")
    )
    assert [[score.task for score in report.scores] for report in reports] == [["mine", "toy"]] * 2
    differences = paired_differences(reports)
    assert [one.task for one in differences] == ["mine", "toy"]
    expected = reports[0].score("mine").value - reports[1].score("mine").value
    assert differences[0].paired.difference == pytest.approx(expected)


@pytest.mark.parametrize("kwargs", [{}, {"pairs": "none.tsv"}, {"qrels": "nowhere"}])
def test_own_labels_that_are_not_there_are_an_error_of_one_line(kwargs):
    with pytest.raises(UserError) as error:
        evaluate_own_labels([Table()], **kwargs)
    assert "\n" not in str(error.value)


def test_own_pairs_without_a_score_column_or_with_a_bad_score_are_named(tmp_path):
    with pytest.raises(UserError, match="score"):
        evaluate_own_labels([Table()], pairs=write_tsv(tmp_path / "a.tsv", [["sentence1", "sentence2"], ["a", "b"]]))
    own_pairs(tmp_path / "b.tsv")
    with (tmp_path / "b.tsv").open("a") as file:
        file.write("x\ty\thigh\n")
    with pytest.raises(
        UserError, match=r"b\.tsv, line 11: .*correct the row, or leave bad rows out with `--on-bad-row"
    ):
        evaluate_own_labels([Table()], pairs=tmp_path / "b.tsv")


def test_judgements_without_a_relevant_document_are_refused(tmp_path):
    folder = collection(tmp_path / "toy")
    rows = [["query-id", "corpus-id", "score"], ["q1", "d1", "0"], ["q1", "d3", "-1"]]
    write_tsv(folder / "qrels/test.tsv", rows)
    with pytest.raises(UserError, match="toy: no judgement has a score above 0, so no query has a relevant document"):
        evaluate_own_labels([Table()], qrels=folder)
    write_tsv(folder / "qrels/test.tsv", [*rows, ["q2", "d2", "1"]])
    assert evaluate_own_labels([Table()], qrels=folder)[0].score("toy").num_items == 2
