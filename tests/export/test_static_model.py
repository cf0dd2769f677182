"""Static models: the table of a model's tokens, opened by the host, by model2vec and without torch."""

import json
from pathlib import Path

import numpy as np
import pytest
from model2vec import StaticModel
from safetensors.numpy import load_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize
from sentence_transformers.sentence_transformer.modules import BoW, Pooling, StaticEmbedding
from tests.modules.transformer_models import open_bert, write_bert
from tests.runtime.host_models import saved
from transformers import PreTrainedTokenizerFast

from selfsent.errors import UserError
from selfsent.export.int8_model import write_int8
from selfsent.export.static_model import write_static
from selfsent.export.token_rows import token_rows, tokenizer_of
from selfsent.modules import FastTextEncoder
from selfsent.modules.fasttext_encoder import word_tokenizer
from selfsent.runtime import open_model


def directions(vectors: np.ndarray) -> np.ndarray:
    """Vectors scaled to length 1; those of zeros stay so."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1)


def exported(model: SentenceTransformer, folder: Path) -> Path:
    """Write a static model and give its folder."""
    folder.mkdir()
    write_static(model, folder)
    return folder


@pytest.mark.parametrize(
    "kind", ["sum", "static", "static-normalised", "static-linear", "pooled-mean", "tree-pooled", "balanced"]
)
def test_the_host_model2vec_and_the_runtime_open_it_alike(
    kind: str, tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path, sentences: list[str]
) -> None:
    model = saved(kind, tiny_tokenizer, tmp_path / "model", {"query": "the "})
    folder = exported(model, tmp_path / "small")
    host = SentenceTransformer(str(folder), device="cpu")
    assert isinstance(host[0], StaticEmbedding)
    ours = open_model(folder)
    assert ours is not None
    texts = [*sentences, "a cat on the roof " * 20]
    expected = np.asarray(host.encode(texts))
    assert np.allclose(ours.encode(texts), expected, atol=1e-6)
    assert np.allclose(StaticModel.from_pretrained(folder).encode(texts), expected, atol=1e-6)
    assert host.prompts["query"] == ours.prompts["query"] == "the "
    assert host.max_seq_length == float("inf")


@pytest.mark.parametrize("kind", ["sum", "weighted", "static", "static-normalised", "static-linear", "pooled-mean"])
def test_a_model_that_adds_its_tokens_keeps_its_cosines(
    kind: str, tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path, sentences: list[str]
) -> None:
    settings = {"composition_init": "sum", "frequency_weight": 0.001} if kind == "weighted" else {}
    model = saved(kind, tiny_tokenizer, tmp_path / "model")
    if settings:
        encoder = type(model[0])(tokenizer=tiny_tokenizer, channels=6, channel_size=4, **settings)
        encoder.embedding.count(np.arange(len(tiny_tokenizer)))
        model = SentenceTransformer(modules=[encoder], device="cpu")
    found = SentenceTransformer(str(exported(model, tmp_path / "small")), device="cpu").encode([*sentences, ""])
    expected = np.asarray(model.encode([*sentences, ""]))
    assert np.allclose(directions(np.asarray(found)), directions(expected), atol=1e-5)


def test_a_limit_of_tokens_goes_on(tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    folder = exported(saved("cut", tiny_tokenizer, tmp_path / "model"), tmp_path / "small")
    ours = open_model(folder)
    assert ours is not None
    assert ours.max_tokens == 5
    short, long = ours.encode(["the cat sleeps on the", "the cat sleeps on the warm roof in the sun"])
    assert np.array_equal(short, long)


def test_a_row_is_the_embedding_of_its_token(
    tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path, sentences: list[str]
) -> None:
    model = saved("static-dense", tiny_tokenizer, tmp_path / "model")
    rows = token_rows(model, tokenizer_of(model))
    number = tiny_tokenizer.convert_tokens_to_ids("▁cat")
    assert np.allclose(rows[number], model.encode("cat"), atol=1e-6)
    bert = SentenceTransformer(modules=[open_bert(write_bert(tmp_path / "bert", sentences)), Pooling(16)], device="cpu")
    rows = token_rows(bert, tokenizer_of(bert))
    vocabulary = bert.tokenizer.get_vocab()
    word = next(token for token in vocabulary if token.isalpha() and len(token) > 2)
    assert np.allclose(rows[vocabulary[word]], bert.encode(word), atol=1e-5)
    assert rows.shape == (len(vocabulary), 16)


def test_a_transformer_becomes_a_table_of_centred_rows_that_special_tokens_do_not_stand_in(
    tmp_path: Path, sentences: list[str]
) -> None:
    bert = open_bert(write_bert(tmp_path / "bert", sentences))
    model = SentenceTransformer(modules=[bert, Pooling(16), Normalize()], device="cpu")
    folder = exported(model, tmp_path / "small")
    rows = load_file(folder / "model.safetensors")["embeddings"]
    assert not rows[:5].any()
    assert np.abs(rows[5:]).max() > 0
    found = np.asarray(SentenceTransformer(str(folder), device="cpu").encode(sentences))
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert np.allclose(StaticModel.from_pretrained(folder).encode(sentences), found, atol=1e-5)
    assert json.loads((folder / "config.json").read_text())["max_length"] is None


def test_a_static_model_in_int8_is_still_opened_by_model2vec(
    tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path, sentences: list[str]
) -> None:
    folder = exported(saved("sum", tiny_tokenizer, tmp_path / "model"), tmp_path / "small")
    (tmp_path / "smaller").mkdir()
    write_int8(SentenceTransformer(str(folder), device="cpu"), tmp_path / "smaller")
    host = SentenceTransformer(str(tmp_path / "smaller"), device="cpu")
    found = StaticModel.from_pretrained(tmp_path / "smaller").encode(sentences)
    assert np.allclose(found, host.encode(sentences), atol=1e-6)


def test_words_of_fasttext_become_a_table_without_its_n_grams(tmp_path: Path) -> None:
    encoder = FastTextEncoder(tokenizer=word_tokenizer(["cat", "dog"]), dimension=6, num_buckets=10)
    model = SentenceTransformer(modules=[encoder], device="cpu")
    found = SentenceTransformer(str(exported(model, tmp_path / "small")), device="cpu").encode(["cat dog", "cats"])
    assert np.allclose(found[0], model.encode("cat dog"), atol=1e-6)
    assert not found[1].any()


def test_a_model_without_tokens_is_refused_in_one_line() -> None:
    model = SentenceTransformer(modules=[BoW(["cat", "dog"])], device="cpu")
    with pytest.raises(UserError, match=r"needs a tokenizer of the kind of tokenizer\.json, and BoW has none"):
        tokenizer_of(model)
