"""Averaged fastText vectors: known words, unknown ones by their n-grams, and against gensim where it is installed."""

from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer

import selfsent
from selfsent.errors import UserError
from selfsent.modules import FastTextEncoder
from selfsent.modules.fasttext_encoder import ngram_buckets, word_tokenizer

WORDS = ["cat", "dog", "."]
NGRAMS: dict[str, Any] = {"min_n": 3, "max_n": 4, "num_buckets": 50}


@pytest.fixture
def encoder() -> FastTextEncoder:
    torch.manual_seed(0)
    return FastTextEncoder(tokenizer=word_tokenizer(WORDS), dimension=4, **NGRAMS)


def row(encoder: FastTextEncoder, word: str) -> torch.Tensor:
    return encoder.embedding.weight[2 + WORDS.index(word)]


def test_a_text_is_the_mean_of_its_words_however_they_are_written(encoder: FastTextEncoder):
    model = SentenceTransformer(modules=[encoder], device="cpu")
    found = model.encode(["Cat dog.", "\uff43\uff41\uff54 cat", "", "  "], convert_to_tensor=True)
    torch.testing.assert_close(found[0], (row(encoder, "cat") + row(encoder, "dog") + row(encoder, ".")) / 3)
    torch.testing.assert_close(found[1], row(encoder, "cat"))
    assert (found[2:] == 0).all()


def test_an_unknown_word_counts_as_one_word_by_the_mean_of_its_ngrams(encoder: FastTextEncoder):
    buckets = ngram_buckets("cats", **NGRAMS)
    assert len(buckets) == 7  # <ca cat ats ts> <cat cats ats>
    ngrams = encoder.embedding.weight[[5 + bucket for bucket in buckets]].mean(dim=0)
    model = SentenceTransformer(modules=[encoder], device="cpu")
    found = model.encode("cat cats", convert_to_tensor=True)
    torch.testing.assert_close(found, (row(encoder, "cat") + ngrams) / 2)


def test_a_word_too_short_for_an_ngram_counts_for_nothing():
    encoder = FastTextEncoder(tokenizer=word_tokenizer(WORDS), dimension=4, min_n=5, max_n=6, num_buckets=50)
    model = SentenceTransformer(modules=[encoder], device="cpu")
    assert (model.encode("cat xy") == model.encode("cat")).all()
    assert (model.encode("xy") == 0).all()


def test_the_hash_is_fnv_over_signed_bytes():
    # <a>: worked by hand from the definition; é has bytes above 127, whose sign counts.
    value = 2166136261
    for byte in b"<a>":
        value = (value ^ byte) * 16777619 % 2**32
    assert ngram_buckets("a", min_n=3, max_n=6, num_buckets=1000) == [value % 1000]
    signed = 2166136261
    for byte in "<é>".encode():
        signed = (signed ^ (byte | 0xFFFFFF00 if byte > 127 else byte)) * 16777619 % 2**32
    assert ngram_buckets("é", min_n=3, max_n=6, num_buckets=1000) == [signed % 1000]


@pytest.mark.parametrize(("min_n", "max_n"), [(3, 6), (1, 2), (2, 2)])
def test_ngrams_are_gensims(min_n: int, max_n: int):
    fasttext = pytest.importorskip("gensim.models.fasttext")
    for word in ("a", "cat", "übermäßig", "日本語", "naïve-ish", "🙂ok"):
        ours = ngram_buckets(word, min_n=min_n, max_n=max_n, num_buckets=997)
        assert sorted(ours) == sorted(fasttext.ft_ngram_hashes(word, min_n, max_n, 997))


def test_a_saved_model_opens_with_what_it_was(encoder: FastTextEncoder, tmp_path: Path):
    model = SentenceTransformer(modules=[encoder], device="cpu")
    model.save_pretrained(str(tmp_path / "model"))
    texts = ["Cat.", "an unknown dog"]
    for again in (
        selfsent.load(tmp_path / "model"),
        SentenceTransformer(str(tmp_path / "model"), trust_remote_code=True, device="cpu"),
    ):
        assert (again.encode(texts) == model.encode(texts)).all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"dimension": 0}, "dimension=0"), ({"num_buckets": 0}, "buckets=0"), ({"min_n": 7}, "min_n=7")],
)
def test_a_size_out_of_range_is_refused(settings: Any, words: str):
    with pytest.raises(UserError, match=words):
        FastTextEncoder(tokenizer=word_tokenizer(), **settings)
