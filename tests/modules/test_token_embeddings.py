"""Trained token embeddings before modules of the host: shapes, texts without a token, dropout, a saved model."""

from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import LSTM, Pooling
from transformers import PreTrainedTokenizerFast

import selfsent
from selfsent.errors import UserError
from selfsent.modules import TokenEmbeddings

UNEVEN = ["the cat sleeps", "a", "", " ".join(["dog"] * 500)]


@pytest.fixture
def model(tiny_tokenizer: PreTrainedTokenizerFast) -> SentenceTransformer:
    torch.manual_seed(0)
    tokens = TokenEmbeddings(tokenizer=tiny_tokenizer, dimension=8, dropout=0.5, init_range=1.0)
    return SentenceTransformer(modules=[tokens, LSTM(8, 4), Pooling(8)], device="cpu")


def test_tokens_are_the_tokenizers_and_embeddings_the_tables_rows(
    model: SentenceTransformer, tiny_tokenizer: PreTrainedTokenizerFast
):
    module = model[0].eval()
    features = module.preprocess(UNEVEN)
    assert features["sentence_lengths"].tolist() == features["attention_mask"].sum(dim=1).tolist()
    expected = [tiny_tokenizer(text, add_special_tokens=False)["input_ids"] for text in UNEVEN]
    masks = features["attention_mask"].bool()
    assert [ids[mask].tolist() for ids, mask in zip(features["input_ids"], masks, strict=True)] == expected
    assert torch.equal(module(features)["token_embeddings"], module.embedding.weight[features["input_ids"]])


def test_a_text_has_the_same_embedding_alone_and_in_a_batch(model: SentenceTransformer):
    together = model.encode(UNEVEN)
    for text, row in zip(UNEVEN, together, strict=True):
        assert model.encode(text) == pytest.approx(row, abs=1e-6)
    assert (together[2] == 0).all()
    assert model[0].preprocess([])["input_ids"].shape == (0, 1)


def test_dropout_acts_in_training_only(model: SentenceTransformer):
    module = model[0]
    features = module.preprocess(UNEVEN[:1])
    assert (module.train()(dict(features))["token_embeddings"] == 0).any()
    assert (module.eval()(dict(features))["token_embeddings"] != 0).all()


def test_a_saved_model_opens_with_what_it_was(model: SentenceTransformer, tmp_path: Path):
    model.save_pretrained(str(tmp_path / "model"))
    again = selfsent.load(tmp_path / "model", device="cpu")
    assert (again.encode(UNEVEN) == model.encode(UNEVEN)).all()
    assert (again[0].options.dropout, again[0].options.init_range) == (0.5, 1.0)


@pytest.mark.parametrize("settings", [{"dimension": 0}, {"dropout": 1.0}, {"init_range": 0.0}])
def test_a_setting_out_of_range_is_refused(settings: Any, tiny_tokenizer: PreTrainedTokenizerFast):
    ((name, value),) = settings.items()
    with pytest.raises(UserError, match=f"{name}={value}"):
        TokenEmbeddings(tokenizer=tiny_tokenizer, **settings)
