"""A person's own labels: pairs with scores, collections with judgements."""

import numpy as np
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
    expected = reports[1].score("mine").value - reports[0].score("mine").value
    assert differences[0].paired.difference == pytest.approx(expected)


def test_suites_run_on_own_labels_in_their_own_protocol(tmp_path):
    rows = [["sentence1", "sentence2", "score"], *([f"a {i}", f"b {i}", str(i % 6)] for i in range(12))]
    labels = {"pairs": write_tsv(tmp_path / "mine.tsv", rows), "qrels": collection(tmp_path / "toy")}
    names = ["sts", "geometry", "retrieval", "rerank"]
    (report,) = evaluate_own_labels([Table()], **labels, suites=names)
    tasks = [score.task for score in report.scores]
    assert (tasks[0], tasks[-2:]) == ("mine", ["toy", "toy-bm25"])
    assert {"geometry/alignment", "geometry/uniformity"} < set(tasks[1:-2])
    # Scores are 0 to 5, so that the pairs above 4 are those of 5: two of twelve. Their mean squared distance is the
    # alignment.
    vectors = Table().encode(["a 5", "b 5", "a 11", "b 11"])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    by_hand = (np.square(unit[0] - unit[1]).sum() + np.square(unit[2] - unit[3]).sum()) / 2
    assert report.score("geometry/alignment").value == pytest.approx(by_hand, abs=1e-6)
    assert report.score("geometry/alignment").num_items == 2
    assert "map_bm25" in report.score("toy-bm25").also
    (report,) = evaluate_own_labels([Table()], **labels, suites=["rerank"])
    assert [score.task for score in report.scores] == ["toy-bm25"]
    for suite, given in (("lexical", labels), ("geometry", {"qrels": labels["qrels"]}), ("rerank", {"pairs": "x"})):
        with pytest.raises(UserError, match=rf"the suite {suite} cannot be run on these labels.*--pairs sts, geometry"):
            evaluate_own_labels([Table()], **given, suites=[suite])


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
