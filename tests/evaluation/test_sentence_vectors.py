"""Encoding for evaluation: each text once, nothing broken scored, equal sentences equally similar."""

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling
from sklearn.metrics.pairwise import paired_cosine_distances
from tests.conftest import SENTENCES
from tests.evaluation.evaluation_data import Constant, Table, sts_folder, sts_rows, write_jsonl
from tests.modules.transformer_models import open_bert, write_bert

from selfsent.errors import UserError
from selfsent.evaluation import evaluate
from selfsent.evaluation.sentence_vectors import cosines
from selfsent.evaluation.tasks.pairs import evaluate_own_labels


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


@pytest.mark.parametrize("other", [str, str.upper])
def test_pairs_of_equal_texts_cannot_be_ranked_and_are_no_collapse(tiny_static_model, tmp_path, other):
    texts = ["a cat", "the rain", "two dogs", "a guitar"]
    rows = [{"sentence1": text, "sentence2": other(text), "score": score} for score, text in enumerate(texts)]
    with pytest.raises(UserError, match="both texts of every pair are equal") as caught:
        evaluate_own_labels([tiny_static_model], pairs=write_jsonl(tmp_path / "own.jsonl", rows))
    assert "collapse" not in str(caught.value)


def test_the_texts_that_an_evaluation_cuts_are_counted_and_said_once(tmp_path, caplog):
    model = SentenceTransformer(modules=[open_bert(write_bert(tmp_path / "bert", SENTENCES)), Pooling(16)])
    model.max_seq_length = 8
    texts = [SENTENCES[0], SENTENCES[4], "a cat", "rain", "two dogs", "the sea"]  # the first two have over 8 tokens
    rows = [{"sentence1": texts[i], "sentence2": texts[i + 1], "score": i} for i in range(5)]
    evaluate_own_labels([model], pairs=write_jsonl(tmp_path / "own.jsonl", rows))
    (note,) = [record.getMessage() for record in caplog.records if "longer than" in record.getMessage()]
    assert note == "2 of 6 texts are longer than the 8 tokens the model reads: cut"
