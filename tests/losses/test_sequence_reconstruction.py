"""Recovering a text's tokens from its embedding: the value by hand, gradients, refusals."""

from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from selfsent.losses import SequenceReconstructionLoss
from selfsent.methods.bi_lstm import BiLstmConfig, new_model

UNEVEN = ["the cat sleeps", "a", "", "two dogs run along the beach in the morning"]


@pytest.fixture
def model(tiny_tokenizer: PreTrainedTokenizerFast) -> SentenceTransformer:
    torch.manual_seed(0)
    return new_model(BiLstmConfig(dimension=8, init_range=1.0), tiny_tokenizer, device="cpu")


def value(loss: Any, *columns: list[str]) -> Tensor:
    return loss([loss.model.preprocess(texts) for texts in columns], None)


@pytest.mark.parametrize("tied", [True, False])
def test_the_value_is_that_of_one_text_after_another(model: SentenceTransformer, tied: bool):
    loss: Any = SequenceReconstructionLoss(model, tied=tied).eval()
    table, bias = model[0].embedding.weight, None
    if not tied:
        table, bias = loss.output.weight, loss.output.bias
    errors: list[Tensor] = []
    for text in UNEVEN:
        features = model.preprocess([text])
        ids = features["input_ids"][0][features["attention_mask"][0].bool()]
        if len(ids):
            embedding = model(dict(features))["sentence_embedding"]
            states, _ = loss.decoder.lstm(embedding.repeat(len(ids), 1)[None])
            errors += functional.cross_entropy(functional.linear(states[0], table, bias), ids, reduction="none")
    torch.testing.assert_close(value(loss, UNEVEN), torch.stack(errors).mean())
    torch.testing.assert_close(value(loss, UNEVEN), value(loss, UNEVEN[:2], UNEVEN[2:]))


def test_texts_without_a_token_cost_nothing(model: SentenceTransformer):
    assert value(SequenceReconstructionLoss(model), ["", ""]).item() == 0.0
