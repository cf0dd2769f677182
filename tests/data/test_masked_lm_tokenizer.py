"""Tokenizers of masked language models: special tokens, reproducibility, and what cannot be trained."""

from pathlib import Path

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from selfsent.data.masked_lm_tokenizer import (
    open_masked_lm_tokenizer,
    train_bert_tokenizer,
    train_roberta_tokenizer,
    with_mask_token,
)
from selfsent.errors import UserError

TRAIN = {"bert": train_bert_tokenizer, "roberta": train_roberta_tokenizer}
BOTH = pytest.mark.parametrize("architecture", TRAIN)


def around(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[int, int]:
    ids = tokenizer(text)["input_ids"]
    return ids[0], ids[-1]


@BOTH
def test_every_text_begins_and_ends_with_a_special_token_and_there_is_a_mask(architecture: str, sentences: list[str]):
    tokenizer = TRAIN[architecture](sentences, vocab_size=400)
    assert around(tokenizer, sentences[0]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
    roles = ("pad", "unk", "cls", "sep", "mask")
    ids = {role: getattr(tokenizer, f"{role}_token_id") for role in roles}
    assert len(set(ids.values())) == 5
    assert set(ids.values()) <= set(tokenizer.all_special_ids)
    plain = tokenizer(sentences[0], add_special_tokens=False)["input_ids"]
    assert tokenizer(sentences[0])["input_ids"][1:-1] == plain
    assert not set(plain) & set(tokenizer.all_special_ids)
    assert tokenizer.decode(plain).strip() == sentences[0].lower()


@BOTH
def test_the_same_texts_give_the_same_tokenizer_of_no_more_pieces_than_asked(architecture: str, sentences: list[str]):
    one, other = (TRAIN[architecture](iter(sentences), vocab_size=300) for _ in range(2))
    assert one.get_vocab() == other.get_vocab()
    assert len(one) <= 300


@BOTH
def test_a_saved_tokenizer_opens_as_the_same(architecture: str, sentences: list[str], tmp_path: Path):
    tokenizer = TRAIN[architecture](sentences, vocab_size=400)
    tokenizer.save_pretrained(tmp_path)
    opened = AutoTokenizer.from_pretrained(tmp_path)
    assert opened(sentences)["input_ids"] == tokenizer(sentences)["input_ids"]
    assert opened.mask_token_id == tokenizer.mask_token_id
    assert set(opened(sentences[0])) == set(tokenizer(sentences[0]))


def test_case_is_kept_where_asked_and_no_byte_is_unknown(sentences: list[str]):
    tokenizer = train_roberta_tokenizer(sentences, vocab_size=300, lowercase=False)
    text = "Zażółć GĘŚLĄ jaźń 😀"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids).strip() == text


def test_special_ids_are_those_of_roberta(sentences: list[str]):
    tokenizer = train_roberta_tokenizer(sentences, vocab_size=300)
    assert tokenizer.convert_tokens_to_ids(["<s>", "<pad>", "</s>", "<unk>", "<mask>"]) == [0, 1, 2, 3, 4]


def test_a_tree_models_tokenizer_is_completed_and_its_pieces_stay(
    tiny_tokenizer: PreTrainedTokenizerFast, sentences: list[str], tmp_path: Path
):
    tiny_tokenizer.save_pretrained(tmp_path)
    tokenizer = open_masked_lm_tokenizer(tmp_path)
    assert len(tokenizer) == len(tiny_tokenizer) + 3
    assert tokenizer(sentences[0])["input_ids"][1:-1] == tiny_tokenizer(sentences[0])["input_ids"]
    assert around(tokenizer, sentences[0]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
    again = with_mask_token(tokenizer)
    assert len(again) == len(tiny_tokenizer) + 3, "what is complete stays as it is"


def test_a_vocabulary_without_room_is_refused(sentences: list[str]):
    with pytest.raises(UserError, match="261"):
        train_roberta_tokenizer(sentences, vocab_size=260)
    with pytest.raises(UserError, match="vocab_size"):
        train_bert_tokenizer(sentences, vocab_size=10)


def test_a_tokenizer_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(UserError, match="nowhere"):
        open_masked_lm_tokenizer(tmp_path / "nowhere")
