"""Encoding for evaluation: each text once, nothing broken scored, equal sentences equally similar."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import paired_cosine_distances
from tests.evaluation.evaluation_data import Constant, Table, sts_folder, sts_rows, write_jsonl

from selfsent.errors import UserError
from selfsent.evaluation import evaluate
from selfsent.evaluation.sentence_vectors import cosines


def test_every_distinct_sentence_is_encoded_once_over_all_suites(tmp_path):
    model = Table()
    for language in ("de", "fr"):
        write_jsonl(sts_folder(tmp_path) / f"sts/STSBenchmarkMultilingual/{language}-test.jsonl", sts_rows("STS12"))
    evaluate(model, "sts,sts-multilingual", tmp_path)
    asked = [text for text in model.asked if text != "dimension"]
    assert len(asked) == len(set(asked)) == 7 * (5 + 12)


@pytest.mark.parametrize(("value", "message"), [(np.nan, "NaN"), (np.inf, "infinity"), (1.0, "same"), (0.0, "same")])
def test_broken_embeddings_are_named_and_not_scored(tmp_path, value, message):
    with pytest.raises(UserError, match=message):
        evaluate(Constant(value), "sts", sts_folder(tmp_path))


def test_pairs_of_equal_sentences_tie_at_exactly_one():
    rows = np.random.default_rng(0).standard_normal((500, 384)).astype(np.float32)
    assert set(cosines(rows, rows)) == {1.0}
    assert set(cosines(rows, -rows)) == {-1.0}
    zero = np.zeros((1, 384), dtype=np.float32)
    assert cosines(zero, rows[:1]) == [0.0]


def test_similarities_equal_those_of_scikit_learn():
    left, right = np.random.default_rng(1).standard_normal((2, 200, 16)).astype(np.float32)
    np.testing.assert_allclose(cosines(left, right), 1 - paired_cosine_distances(left, right), atol=3e-7)
