"""Packed rows: every text once, in order, none parted, and never more tokens than fit where a text alone fits."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from selfsent.data.masked_lm_tokenizer import with_mask_token
from selfsent.data.packed_texts import PackedTexts


@pytest.fixture(scope="session")
def tokenizer(tiny_tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    return with_mask_token(PreTrainedTokenizerFast(
        tokenizer_object=tiny_tokenizer.backend_tokenizer, pad_token="[PAD]", unk_token="[UNK]"
    ))  # fmt: skip


def packed(texts: list[str], tokenizer: PreTrainedTokenizerFast, max_seq_length: int) -> tuple[PackedTexts, list[str]]:
    rows = PackedTexts([{"text": text} for text in texts], tokenizer=tokenizer, max_seq_length=max_seq_length)
    return rows, [row["text"] for row in rows]


TEXTS = st.lists(
    st.lists(st.sampled_from(["the", "cat", "sleeps", "on", "roof", "rain"]), min_size=1).map(" ".join), min_size=1
)


@given(texts=TEXTS, max_seq_length=st.integers(3, 40))
@settings(max_examples=50, deadline=None)
def test_texts_are_joined_in_order_as_many_as_fit(
    tokenizer: PreTrainedTokenizerFast, texts: list[str], max_seq_length: int
):
    def num_tokens(text: str) -> int:
        return len(tokenizer(text)["input_ids"])

    _, rows = packed(texts, tokenizer, max_seq_length)
    assert " ".join(rows) == " ".join(texts)
    position = 0
    for row in rows:
        count = next(n for n in range(1, len(texts) + 1) if " ".join(texts[position : position + n]) == row)
        assert count == 1 or num_tokens(row) <= max_seq_length
        position += count
        following = texts[position : position + 1]
        assert not following or num_tokens(f"{row} {following[0]}") > max_seq_length, "another text would have fitted"


def test_a_note_says_how_full_the_rows_are(tokenizer: PreTrainedTokenizerFast, sentences: list[str]):
    one = len(tokenizer("the cat", add_special_tokens=False)["input_ids"])
    rows, texts = packed(["the cat"] * 4, tokenizer, 3 * one + 2)
    assert texts == ["the cat the cat the cat", "the cat"]
    assert rows.note() == f"4 texts packed into 2 rows of up to {3 * one + 2} tokens, 67% full"
    list(rows)
    assert rows.note().startswith("4 texts"), "counts are those of one pass"
