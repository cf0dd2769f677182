"""Static models and tables of token embeddings: texts in, the embeddings of their tokens out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from selfsent.int8_rows import Int8Rows
from selfsent.runtime.later_modules import Features, pooled
from selfsent.runtime.saved_files import (
    NeedsTorch,
    Table,
    read_table,
    read_tokenizer,
    read_weights,
    read_wrapped_tokenizer,
)


class TokenTable:
    """A tokenizer and an embedding for each of its tokens.

    Args:
        tokenizer: Turns texts into token ids, without special tokens.
        table: ``(V, D)``.
        max_tokens: Tokens of a text that are read; None for all.
        is_averaged: Whether a text's embedding is the mean of its tokens'.
    """

    builds_trees = False

    def __init__(self, tokenizer: Tokenizer, table: Table, *, max_tokens: int | None, is_averaged: bool) -> None:
        self.tokenizer = tokenizer
        self.table = table
        self.max_tokens = max_tokens
        self.is_averaged = is_averaged
        if tokenizer.get_vocab_size() > len(table):
            raise NeedsTorch(f"a table of {len(table)} rows is too short for {tokenizer.get_vocab_size()} tokens")

    @property
    def dimension(self) -> int:
        """Values of an embedding."""
        return self.table.shape[1]

    def features(self, texts: Sequence[str]) -> Features:
        """Embed the tokens of texts; where ``is_averaged``, the texts too."""
        num_tokens, ids = joined([encoding.ids for encoding in self.tokenizer.encode_batch(list(texts), **_PLAIN)])
        features = Features(num_tokens=num_tokens, tokens=self.table[ids])
        if self.is_averaged:
            features.sentences = pooled(features, "mean")
        return features

    def num_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text, uncut."""
        encoded = self.tokenizer.encode_batch(list(texts), **_PLAIN)
        return [len(text.ids) + sum(len(rest.ids) for rest in text.overflowing) for text in encoded]


_PLAIN: dict[str, Any] = {"add_special_tokens": False}


def joined(rows: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Put the token ids of texts one after another; also give how many each text has."""
    num_tokens = np.array([len(row) for row in rows], dtype=np.int64)
    ids = np.fromiter((number for row in rows for number in row), np.int64, count=int(num_tokens.sum()))
    return num_tokens, ids


def read_static(folder: Path) -> TokenTable:
    """Open the host's ``StaticEmbedding``, also one that model2vec saved.

    Raises:
        NeedsTorch: Its files are not those of such a module in float32.
    """
    tokenizer = read_tokenizer(folder)
    tokenizer.no_padding()
    cut: Any = tokenizer.truncation
    limit = None if cut is None else int(cut["max_length"])
    found = read_weights(folder, optional=("embedding.weight", "embeddings", "mapping", "weights"))
    table = found.get("embedding.weight", found.get("embeddings"))
    is_of_int8 = table is not None and table.dtype == np.int8 and "embedding.weight" not in found and "weights" in found
    if table is None or (table.dtype != np.float32 and not is_of_int8):
        raise NeedsTorch(f"{folder} has no table of float32")
    if "embedding.weight" not in found and "mapping" in found:
        table = table[found["mapping"].astype(np.int64)]
    if is_of_int8:
        rows = Int8Rows(table, found["weights"].astype(np.float32))
        return TokenTable(tokenizer, rows, max_tokens=limit, is_averaged=True)
    if "embedding.weight" not in found and "weights" in found:
        table = (table * found["weights"][:, None]).astype(np.float32)
    return TokenTable(tokenizer, table, max_tokens=limit, is_averaged=True)


def read_token_embeddings(folder: Path) -> TokenTable:
    """Open our ``TokenEmbeddings``, which a pooling follows.

    Raises:
        NeedsTorch: As ``read_static``.
    """
    return TokenTable(read_wrapped_tokenizer(folder), read_table(folder), max_tokens=None, is_averaged=False)
