"""The suite of held-out docstrings."""

import pytest
from sentence_transformers import SentenceTransformer

from selfsent.data.docs import RetrievalItem
from selfsent.evaluation.bm25 import BM25
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.suites import SUITES
from selfsent.evaluation.tasks import docs_retrieval


class Corpus:
    def heldout_retrieval(self) -> list[RetrievalItem]:
        pairs = [("Cats sleep.", "A cat sleeps on the roof."), ("Dogs run.", "Two dogs run along the beach.")]
        return [RetrievalItem(query=q, document=d, package="p", qualified_name="p.f") for q, d in pairs]


@pytest.fixture(autouse=True)
def two_docstrings(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(docs_retrieval, "open_docstrings", Corpus)


def test_words_find_the_rest_of_the_docstring_they_stand_in():
    score = SUITES["docs"](BM25(), None, SuiteOptions(num_resamples=10))[0]
    assert (score.task, score.metric.name, score.num_items) == ("docs", "ndcg@10", 2)
    assert docs_retrieval.docs_collection(Corpus()).judgements == [{0: 1.0}, {1: 1.0}]


def test_a_model_is_scored_on_every_heldout_docstring(tiny_static_model: SentenceTransformer):
    score = SUITES["docs"](tiny_static_model, None, SuiteOptions(num_resamples=10))[0]
    assert score.num_items == 2
    assert 0 < score.value <= 1
