"""Tables that start at what a count of the corpus knows."""

import numpy as np
import pytest
import torch

from selfsent.counts.token_frequencies import count_tokens
from selfsent.counts.tokenized_texts import TokenizedTexts
from selfsent.data.tokenizer import train_tokenizer
from selfsent.errors import UserError
from selfsent.methods.table_start import TableOptions, start_table
from selfsent.modules import TreeEncoder

CATS, TOOLS = ["cat", "dog", "fox"], ["saw", "nail", "drill"]


@pytest.fixture
def texts() -> list[str]:
    draw = np.random.default_rng(0)
    near = {"furry": CATS, "tame": CATS, "steel": TOOLS, "heavy": TOOLS}
    adjectives = draw.choice(list(near), size=400)
    return [f"the {adjective} {draw.choice(near[adjective])} is here" for adjective in adjectives]


@pytest.fixture
def encoder(texts: list[str]) -> TreeEncoder:
    torch.manual_seed(0)
    return TreeEncoder(tokenizer=train_tokenizer(texts, vocab_size=500), channels=4, channel_size=2)


def tokenized(texts: list[str], encoder: TreeEncoder) -> TokenizedTexts:
    return TokenizedTexts.of(texts, encoder.tokenizer.backend_tokenizer)


def similarity(encoder: TreeEncoder, one: list[str], other: list[str]) -> float:
    def rows(words: list[str]) -> torch.Tensor:
        ids = [encoder.tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in words]
        return torch.nn.functional.normalize(encoder.embedding.weight[ids], dim=1)

    return (rows(one) @ rows(other).T).mean().item()


@pytest.mark.parametrize("window", [None, 1])
def test_words_that_stand_near_the_same_words_start_alike(texts: list[str], encoder: TreeEncoder, window: int | None):
    norms = encoder.embedding.weight.square().mean()
    start_table(encoder, tokenized(texts, encoder), TableOptions(table_init="cooccurrence", window=window))
    assert similarity(encoder, CATS, CATS) > similarity(encoder, CATS, TOOLS)
    # The vectors have the uniform start's mean square and are independent of it.
    assert 1.5 < (encoder.embedding.weight.square().mean() / norms).item() < 2.5


def test_words_of_the_same_passages_start_alike(texts: list[str], encoder: TreeEncoder):
    norms = encoder.embedding.weight.square().mean()
    start_table(encoder, tokenized(texts, encoder), TableOptions(table_init="lsa"))
    assert similarity(encoder, CATS, CATS) > similarity(encoder, CATS, TOOLS)
    assert 1.5 < (encoder.embedding.weight.square().mean() / norms).item() < 2.5


def test_words_spelt_alike_start_alike():
    words = [f"{stem}{ending}" for stem in ("walk", "turn", "jump") for ending in ("", "s", "ed", "ing")]
    texts = [" ".join(words)] * 4
    tokenizer = train_tokenizer(texts, vocab_size=500)
    torch.manual_seed(0)
    encoder = TreeEncoder(tokenizer=tokenizer, channels=32, channel_size=4)
    start_table(encoder, tokenized(texts, encoder), TableOptions(spelling=True))
    others = similarity(encoder, words[:4], words[4:])
    assert similarity(encoder, ["walk"], ["walks"]) > others + 0.1
    assert similarity(encoder, ["turned"], ["turning"]) > others + 0.1


def test_the_seed_says_how_spelling_starts(texts: list[str], encoder: TreeEncoder):
    def start(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        encoder.reset_parameters()
        start_table(encoder, tokenized(texts, encoder), TableOptions(spelling=True))
        return encoder.embedding.weight.detach().clone()

    assert torch.equal(start(1), start(1))
    assert not torch.allclose(start(1), start(2))


def test_a_uniform_start_stays_as_it_is(texts: list[str], encoder: TreeEncoder):
    before = encoder.embedding.weight.clone()
    start_table(encoder, tokenized(texts, encoder), TableOptions())
    assert torch.equal(encoder.embedding.weight, before)


def test_weights_follow_the_counts_of_the_corpus(texts: list[str]):
    tokenizer = train_tokenizer(texts, vocab_size=500)
    encoder = TreeEncoder(tokenizer=tokenizer, channels=4, channel_size=2, frequency_weight=0.01)
    start_table(encoder, tokenized(texts, encoder), TableOptions())
    counts = count_tokens(texts, tokenizer).counts
    expected = 0.01 / (0.01 + counts / counts.sum())
    np.testing.assert_allclose(encoder.embedding.token_weights, expected, rtol=1e-6)


def test_a_window_without_tokens_is_refused(texts: list[str], encoder: TreeEncoder):
    with pytest.raises(UserError, match="window=0"):
        start_table(encoder, tokenized(texts, encoder), TableOptions(table_init="cooccurrence", window=0))


def test_a_passage_without_texts_is_refused(texts: list[str], encoder: TreeEncoder):
    with pytest.raises(UserError, match="texts_a_passage=0"):
        start_table(encoder, tokenized(texts, encoder), TableOptions(table_init="lsa", texts_a_passage=0))
