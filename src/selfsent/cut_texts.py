"""Texts longer than a model reads: counted while they are encoded, so that none is cut without a word."""

from collections.abc import Sequence
from typing import Any

_READS_ALL = 10**9  # tokenizers without a limit say a number above this


class CutTexts:
    """Counts the texts that a model cuts because they have more tokens than it reads.

    Only texts long enough to be cut are tokenised, so that short ones cost nothing.

    Args:
        model: A ``SentenceTransformer``; anything else counts as reading all of a text.
    """

    def __init__(self, model: Any) -> None:
        limit, tokenizer = getattr(model, "max_seq_length", None), getattr(model, "tokenizer", None)
        self.max_seq_length = int(limit) if limit is not None and callable(tokenizer) and limit < _READS_ALL else None
        self._tokenizer: Any = tokenizer
        self.num_texts = self.num_cut = 0

    def count(self, texts: Sequence[str]) -> None:
        """Take in some texts that are about to be encoded."""
        self.num_texts += len(texts)
        if self.max_seq_length is None:
            return
        room = self.max_seq_length - len(self._tokenizer("", verbose=False)["input_ids"])
        long = [text for text in texts if len(text.encode("utf8", "replace")) > room]  # a token has at least one byte
        if long:
            ids = self._tokenizer(long, truncation=False, return_attention_mask=False, verbose=False)["input_ids"]
            self.num_cut += sum(len(tokens) > self.max_seq_length for tokens in ids)

    def notes(self) -> list[str]:
        """Say how many texts were cut; nothing where none was."""
        if not self.num_cut:
            return []
        share = 100 * self.num_cut / self.num_texts
        texts = f"{self.num_cut:,} of {self.num_texts:,} texts ({share:.1f}%)"
        return [f"{texts} are longer than the {self.max_seq_length} tokens that the model reads; the rest is cut off"]
