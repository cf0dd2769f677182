"""Counting what is cut: exactly the texts whose vector does not change with their end, for every kind of tokenizer."""

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding, Transformer, WordEmbeddings
from sentence_transformers.sentence_transformer.modules.tokenizer import WhitespaceTokenizer
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from selfsent.data.sources import open_source
from selfsent.encoding import CutTexts, count_cut, token_limit, uncut_ids
from selfsent.modules import TreeEncoder
from selfsent.search.encoding import encode
from selfsent.search.indexing import index
from selfsent.search.semantic_search import SemanticSearch

LIMIT = 8
WORD = "the "  # a token of each tokenizer here


@pytest.fixture
def tokenizer(tiny_tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """One of our own: a tokenizer remembers the latest limit it was asked for."""
    return deepcopy(tiny_tokenizer)


@pytest.fixture
def tree_model(tokenizer: PreTrainedTokenizerFast) -> SentenceTransformer:
    encoder = TreeEncoder(tokenizer=tokenizer, channels=2, channel_size=2, max_seq_length=LIMIT)
    return SentenceTransformer(modules=[encoder], device="cpu")


@pytest.fixture
def transformer(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> SentenceTransformer:
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(tokenizer), max_position_embeddings=16, **sizes)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return SentenceTransformer(modules=[Transformer(str(tmp_path), max_seq_length=LIMIT), Pooling(8)], device="cpu")


@pytest.fixture
def truncating_static_model(tokenizer: PreTrainedTokenizerFast) -> SentenceTransformer:
    tokenizer.backend_tokenizer.enable_truncation(LIMIT)
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer.backend_tokenizer, embedding_dim=4)], device="cpu")


@pytest.fixture
def word_model() -> SentenceTransformer:
    words = WordEmbeddings(WhitespaceTokenizer(vocab=["the", "end"]), torch.randn(3, 4), max_seq_length=LIMIT)
    return SentenceTransformer(modules=[words, Pooling(4)], device="cpu")


@pytest.mark.parametrize("kind", ["tree_model", "transformer", "truncating_static_model"])
def test_a_text_counts_exactly_if_its_end_does_not_reach_the_vector(kind, request):
    model = request.getfixturevalue(kind)
    assert token_limit(model) == LIMIT
    for num_words in range(1, 14):
        text = WORD * num_words
        is_cut = np.array_equal(model.encode(text + "cat"), model.encode(text + "budget"))
        assert count_cut(model, [text + "cat", text + "budget", "cat"]) == 2 * is_cut, num_words
        assert count_cut(model, ["cat"], prompt=text) == is_cut
    model.encode("the")  # the tokenizer is left as it was


def test_words_are_counted_where_words_are_tokens(word_model):
    assert [count_cut(word_model, ["end " * number]) for number in (LIMIT, LIMIT + 1)] == [0, 1]


@pytest.mark.parametrize("has_ends", [False, True])
def test_whole_texts_are_tokenized_as_the_wrapper_does_whatever_was_cut_before(transformer, sentences, has_ends):
    tokenizer = transformer.tokenizer
    expected = tokenizer(sentences, add_special_tokens=has_ends)["input_ids"]
    tokenizer(sentences, truncation=True, max_length=3, padding=True)
    assert uncut_ids(tokenizer, sentences, has_ends=has_ends) == expected
    tokenizer(sentences, truncation=True, max_length=3, padding=True)

    def plain(texts, **options):
        return tokenizer(texts, **options)

    assert uncut_ids(plain, sentences, has_ends=has_ends) == expected
    assert min(map(len, expected)) > 3


def test_a_model_without_a_limit_cuts_nothing(tokenizer):
    static = SentenceTransformer(modules=[StaticEmbedding(tokenizer.backend_tokenizer, embedding_dim=4)], device="cpu")
    tree = TreeEncoder(tokenizer=tokenizer, channels=2, channel_size=2)
    for model in (static, SentenceTransformer(modules=[tree], device="cpu")):
        assert token_limit(model) is None
        assert count_cut(model, [WORD * 1000]) == 0


def test_indexing_encoding_and_searching_say_once_what_was_cut(tmp_path, transformer, caplog):
    transformer.save_pretrained(str(tmp_path / "model"))
    (tmp_path / "texts.txt").write_text("\n".join(["the cat", WORD * 30 + "cat", WORD * 40 + "dog"]))
    source, options = open_source(tmp_path / "texts.txt"), {"model_path": tmp_path / "model"}
    told = "2 of 3 texts are longer than the 8 tokens the model reads: cut"
    assert index(transformer, source, tmp_path / "store", **options, rows_per_write=1).num_cut == 2
    assert caplog.messages == [told]
    assert encode(transformer, source, tmp_path / "out.npy", **options, rows_per_part=1).num_cut == 2
    assert caplog.messages == [told, told]
    assert index(transformer, source, tmp_path / "store", **options).num_cut == 0
    SemanticSearch(tmp_path / "store", device="cpu").search(WORD * 20)
    assert caplog.messages[2:] == ["1 of 1 texts are longer than the 8 tokens the model reads: cut"]


def test_what_several_calls_cut_is_added_up_and_said_once(transformer):
    total = CutTexts(transformer)
    total.count(["the cat", WORD * 30])
    total.count([WORD * 40])
    assert (total.num_cut, total.num_texts) == (2, 3)
    assert total.notes() == ["2 of 3 texts are longer than the 8 tokens the model reads: cut"]
    for model in (transformer, object()):
        nothing = CutTexts(model)
        nothing.count(["the cat"])
        assert nothing.notes() == []
