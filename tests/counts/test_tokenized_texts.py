"""Token ids of a corpus, in memory and in files, against the tokenizer's own ids of each text."""

from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from selfsent.counts import tokenized_texts as tokenized_texts_module
from selfsent.counts.tokenized_texts import TokenizedTexts, TokenWriter

TEXTS = ["a b a c", "b c", "", "d", "a d b x a", ""]


@pytest.fixture
def tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate("?abcd")}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


def ids_of(tokenizer: Tokenizer) -> list[list[int]]:
    return [tokenizer.encode(text).ids for text in TEXTS]


@pytest.mark.parametrize("tokenized_at_once", [1, 2, 100])
@pytest.mark.parametrize("num_texts", [1, 2, 4, 100])
def test_blocks_hold_each_texts_own_ids(
    tokenizer: Tokenizer, num_texts: int, tokenized_at_once: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tokenized_texts_module, "TEXTS_AT_ONCE", tokenized_at_once)
    texts = TokenizedTexts.of(iter(TEXTS), tokenizer)
    expected = ids_of(tokenizer)
    assert len(texts) == len(TEXTS)
    blocks = list(texts.blocks(num_texts))
    for number, (ids, text) in enumerate(blocks):
        own = expected[number * num_texts : (number + 1) * num_texts]
        assert [ids[text == i].tolist() for i in range(len(own))] == own
    assert len(blocks) == -(-len(TEXTS) // num_texts)


def test_files_hold_what_memory_holds(tokenizer: Tokenizer, tmp_path: Path):
    ids = ids_of(tokenizer)
    with TokenWriter(tmp_path / "tokens") as written:
        written.add(ids[:2])
        written.add([])
        written.add(ids[2:])
    mapped = TokenizedTexts.open(tmp_path / "tokens", tokenizer.get_vocab_size())
    in_memory = TokenizedTexts.of(TEXTS, tokenizer)
    np.testing.assert_array_equal(mapped.ids, in_memory.ids)
    np.testing.assert_array_equal(mapped.starts, in_memory.starts)
    np.testing.assert_array_equal(mapped.counts(), [1, 4, 3, 2, 2])
    for (ids_of_file, numbers), (expected, of_memory) in zip(mapped.blocks(2), in_memory.blocks(2), strict=True):
        np.testing.assert_array_equal(ids_of_file, expected)
        np.testing.assert_array_equal(numbers, of_memory)


def test_a_corpus_without_a_token_has_no_counts(tokenizer: Tokenizer, tmp_path: Path):
    with TokenWriter(tmp_path) as written:
        written.add([[], []])
    empty = TokenizedTexts.open(tmp_path, 5)
    assert len(empty) == 2
    assert not empty.counts().any()
    assert not len(TokenizedTexts.of([], tokenizer))
    assert list(TokenizedTexts.of([], tokenizer).blocks(3)) == []


def test_a_second_pass_replaces_the_first(tokenizer: Tokenizer, tmp_path: Path):
    for ids in ([[1, 2], [3]], [[4]]):
        with TokenWriter(tmp_path) as written:
            written.add(ids)
    assert TokenizedTexts.open(tmp_path, 5).ids.tolist() == [4]
