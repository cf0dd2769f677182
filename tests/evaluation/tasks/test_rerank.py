"""Short lists put into order: ready ones, and what is wrong with them."""

import pytest
from tests.evaluation.evaluation_data import Table, write_jsonl

from selfsent.errors import UserError
from selfsent.evaluation import SuiteOptions, evaluate
from selfsent.evaluation.records import Record
from selfsent.evaluation.tasks.rerank import ready_lists, score_shortlists


def shortlists():
    row = {"query": "q", "positive": ["p1", "p2"], "negative": ["n1", "n2"]}
    return ready_lists("toy", [Record(values=row, place="here"), Record(values=row | {"positive": []}, place="here")])


def test_ready_lists_give_mean_average_precision_without_queries_that_have_no_positive():
    model = Table({"q": [1, 0], "p1": [1, 0.1], "n1": [1, 0.2], "p2": [1, 0.3], "n2": [0, 1]})
    score = score_shortlists(model, shortlists(), SuiteOptions())
    assert score.num_items == 1
    assert score.value == pytest.approx((1 + 2 / 3) / 2)
    assert score.also["mrr@10"] == 1.0


def test_a_tie_never_helps_a_reranker():
    model = Table({"q": [1, 0], "p1": [1, 1], "n1": [1, 1], "p2": [1, 1], "n2": [1, 1], "other": [0, 1]})
    model.vectors["n2"] = [0, 1]
    score = score_shortlists(model, shortlists(), SuiteOptions())
    assert score.value == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_ready_lists_are_read_from_their_folder(tmp_path):
    write_jsonl(tmp_path / "rerank/Ask/test.jsonl", [{"query": "q", "positive": ["p"], "negative": ["n", "m"]}])
    assert [score.task for score in evaluate(Table(), "rerank", tmp_path).scores] == ["Ask"]


def test_a_list_that_is_a_text_names_file_and_line(tmp_path):
    write_jsonl(tmp_path / "rerank/Ask/test.jsonl", [{"query": "q", "positive": "p", "negative": ["n"]}])
    with pytest.raises(UserError, match=r"line 1: positive is 'p'; give a list of texts"):
        evaluate(Table(), "rerank", tmp_path)
