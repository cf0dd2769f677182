"""Encoders from scratch: their sizes, that they encode, and sizes that make none."""

import pytest

from selfsent.data.masked_lm_tokenizer import train_bert_tokenizer
from selfsent.errors import UserError
from selfsent.modules.scratch_encoders import EncoderSizes, untrained_encoder

SIZES = EncoderSizes(width=12, num_layers=1, num_heads=2, max_seq_length=16, num_positions=32)


def test_a_transformer_has_the_sizes_asked_for(tmp_path, sentences):
    tokenizer = train_bert_tokenizer(sentences, vocab_size=120)
    model = untrained_encoder("transformer", tokenizer, SIZES, folder=tmp_path, device="cpu")
    config = model[0].model.config
    assert (config.hidden_size, config.num_hidden_layers, config.max_position_embeddings) == (12, 1, 32)
    assert model.max_seq_length == 16
    assert model.encode(sentences).shape == (12, 12)


@pytest.mark.parametrize(("kind", "width"), [("static", 12), ("tree", 100)])
def test_the_others_need_no_folder(tiny_tokenizer, tmp_path, sentences, kind, width):
    model = untrained_encoder(kind, tiny_tokenizer, SIZES, folder=tmp_path / "none", device="cpu")
    assert model.get_embedding_dimension() == width
    assert not (tmp_path / "none").exists()


def test_static_vectors_are_as_long_as_those_they_are_to_match(tiny_tokenizer, tmp_path):
    sizes = EncoderSizes(width=400, num_layers=1, num_heads=1, max_seq_length=8)
    model = untrained_encoder("static", tiny_tokenizer, sizes, folder=tmp_path, device="cpu")
    assert model[0].embedding.weight.norm(dim=1).mean().item() == pytest.approx(1, rel=0.02)


def test_sizes_that_make_no_model_are_one_line(tiny_tokenizer, tmp_path):
    for sizes, message in (
        (
            EncoderSizes(width=0, num_layers=0, num_heads=2, max_seq_length=8),
            "whole numbers above 0, got width=0, num_layers=0",
        ),
        (EncoderSizes(width=10, num_layers=1, num_heads=3, max_seq_length=8), "num_heads=3 does not divide"),
    ):
        with pytest.raises(UserError, match=message):
            untrained_encoder("transformer", tiny_tokenizer, sizes, folder=tmp_path)
