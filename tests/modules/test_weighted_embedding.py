"""A table whose frequent tokens count less, alone and in a tree model."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

import selfsent
from selfsent.errors import UserError
from selfsent.evaluation.baselines import averaged_table
from selfsent.modules import TreeEncoder
from selfsent.modules.weighted_embedding import FrequencyWeightedEmbedding, embedding_of


def test_a_token_is_its_row_times_its_weight():
    table = FrequencyWeightedEmbedding(3, 2, frequency_weight=0.1)
    ids = torch.tensor([[0, 1], [2, 0]])
    assert torch.equal(table(ids), table.weight[ids])  # until counted
    table.count(np.array([90, 10, 0]))
    expected = torch.tensor([0.1 / 1.0, 0.1 / 0.2, 1.0])[:, None] * table.weight
    torch.testing.assert_close(table(ids), expected[ids])
    torch.testing.assert_close(table.weighted(), expected)
    table(ids).sum().backward()
    torch.testing.assert_close(table.weight.grad, torch.tensor([[0.2, 0.2], [0.5, 0.5], [1.0, 1.0]]))


def test_a_corpus_without_tokens_leaves_all_weights_one():
    table = FrequencyWeightedEmbedding(3, 2, frequency_weight=0.1)
    table.count(np.zeros(3, dtype=np.int64))
    assert torch.equal(table.token_weights, torch.ones(3))


def test_no_weight_is_a_plain_table():
    assert type(embedding_of(3, 2, frequency_weight=0.0)) is torch.nn.Embedding


@pytest.mark.parametrize("weight", [-1.0, float("inf"), float("nan")])
def test_a_weight_out_of_range_is_refused(tiny_tokenizer, weight: float):
    with pytest.raises(UserError, match="frequency_weight="):
        TreeEncoder(tokenizer=tiny_tokenizer, frequency_weight=weight)


@pytest.mark.parametrize(("method", "cell"), [("self-strae", "affine"), ("banyan", "diagonal")])
def test_a_trained_model_keeps_its_weights_and_a_sentence_is_their_sum(
    sentences: list[str], tmp_path: Path, method: str, cell: str
):
    (tmp_path / "texts.txt").write_text("\n".join(sentences * 4) + "\n")
    options = {"channels": 4, "channel_size": 2, "composition_init": "sum", "frequency_weight": 0.01, "cell": cell}
    training = {"max_steps": 2, "per_device_train_batch_size": 8}
    model = selfsent.train(
        method, tmp_path / "texts.txt", tmp_path / "model", **options, table_init="cooccurrence", training=training
    )
    again = selfsent.load(tmp_path / "model")
    weights = again[0].embedding.token_weights
    assert torch.equal(weights, model[0].embedding.token_weights)
    assert len(weights.unique()) > 3
    assert (again.encode(sentences) == model.encode(sentences)).all()
    mean = averaged_table(again)
    assert isinstance(mean, SentenceTransformer)
    cosines = (mean.encode(sentences) * again.encode(sentences, normalize_embeddings=True)).sum(axis=1)
    assert (cosines > 0.9).all()
