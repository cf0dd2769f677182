"""Averaged fastText vectors as an input module: known words by their rows, others by their n-grams."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from selfsent.data.tokenizer import PAD_TOKEN, UNKNOWN_TOKEN
from selfsent.modules.tokenized_input import TokenizedInput
from selfsent.options import Options, names_of, option, takes_only

_FNV_OFFSET, _FNV_PRIME, _WORD = 2166136261, 16777619, 0xFFFFFFFF


def word_tokenizer(words: Sequence[str] = (), *, lowercase: bool = True) -> PreTrainedTokenizerFast:
    """Make a tokenizer of whole words: NFKC, split at white space, punctuation apart, as a trained tokenizer splits.

    Args:
        words: The known words; ``[PAD]`` and ``[UNK]`` stand before them.
        lowercase: Fold case.
    """
    vocabulary = {word: number for number, word in enumerate([PAD_TOKEN, UNKNOWN_TOKEN, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN_TOKEN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), *([normalizers.Lowercase()] if lowercase else [])])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation(behavior="isolated")]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=PAD_TOKEN, unk_token=UNKNOWN_TOKEN)


def ngram_buckets(word: str, *, min_n: int, max_n: int, num_buckets: int) -> list[int]:
    """Hash the character n-grams of a word, its ends marked by ``<`` and ``>``, as fastText does.

    Source: Bojanowski et al., TACL 2017 (arXiv 1607.04606), Section 3.2; the hash of fastText's code, FNV-1a over the
    bytes of UTF-8, each taken with its sign.

    Args:
        word: The word.
        min_n: Characters of the shortest n-gram.
        max_n: Characters of the longest.
        num_buckets: Number of buckets; hashes are taken modulo it.
    """
    marked = f"<{word}>"
    ngrams = (
        marked[start : start + n]
        for start in range(len(marked))
        for n in range(min_n, min(max_n, len(marked) - start) + 1)
        if n > 1 or 0 < start < len(marked) - 1
    )
    return [_fnv(ngram.encode("utf8", "surrogatepass")) % num_buckets for ngram in ngrams]


def _fnv(content: bytes) -> int:
    value = _FNV_OFFSET
    for byte in np.frombuffer(content, np.int8).tolist():
        value = ((value ^ (byte & _WORD)) * _FNV_PRIME) & _WORD
    return value


@dataclass(frozen=True, kw_only=True)
class NgramOptions(Options):
    """Vectors of words and of their character n-grams.

    Args:
        dimension: D, values of a vector (fastText and StrAE: 100).
        min_n: Characters of the shortest n-gram.
        max_n: Characters of the longest n-gram.
    """

    dimension: int = option(100, at_least=1)
    min_n: int = option(3, at_least=1)
    max_n: int = option(6, at_least=1)

    def problems(self) -> list[str]:
        """Name the options that have a value they may not have, alone or together."""
        if self.min_n <= self.max_n:
            return super().problems()
        return [*super().problems(), f"min_n={self.min_n} must be max_n={self.max_n} or less, such as 3 and 6"]


@dataclass(frozen=True, kw_only=True)
class FastTextEncoderOptions(NgramOptions):
    """Options of `FastTextEncoder`: the keys of its ``config.json``.

    Args:
        num_buckets: Rows for n-grams, behind those of the words.
    """

    num_buckets: int = option(100_000, at_least=1)


@dataclass(frozen=True, kw_only=True)
class _Arguments(FastTextEncoderOptions):
    tokenizer: PreTrainedTokenizerBase


class FastTextEncoder(TokenizedInput):
    """Average the vectors of a text's words; an unknown word has the mean vector of its n-grams.

    A text without a word has the zero vector, and a word of which no n-gram is long enough counts for nothing.

    Source: Bojanowski et al., TACL 2017 (arXiv 1607.04606).

    Args:
        tokenizer: Tokenizer of whole words, see `word_tokenizer`; gives the rows of the known words.
        options: Options by keyword; see `FastTextEncoderOptions`.

    Raises:
        UserError: A size is outside its range.
    """

    save_in_root = True
    described_as = "vectors"

    config_keys: list[str] = names_of(FastTextEncoderOptions)

    @takes_only(_Arguments)
    def __init__(self, arguments: _Arguments) -> None:
        super().__init__()
        self.tokenizer: Any = arguments.tokenizer
        self.options = arguments.part(FastTextEncoderOptions)
        num_rows = len(arguments.tokenizer) + self.options.num_buckets
        self.embedding = nn.Embedding(num_rows, self.options.dimension)
        self.reset_parameters()

    def get_config_dict(self) -> dict[str, Any]:
        """Give the options, as ``config.json`` holds them."""
        return asdict(self.options)

    def reset_parameters(self) -> None:
        """Draw the weights again, uniform in [-1/D, 1/D] as fastText does; ``[PAD]`` and ``[UNK]`` are zero."""
        nn.init.uniform_(self.embedding.weight, -1 / self.options.dimension, 1 / self.options.dimension)
        with torch.no_grad():
            self.embedding.weight[:2] = 0

    def take(
        self, tokenizer: PreTrainedTokenizerBase, words: Float[Tensor, "V D"], ngrams: Float[Tensor, "M D"]
    ) -> None:
        """Replace the vectors of the module by trained ones.

        Args:
            tokenizer: Tokenizer of the known words.
            words: Their vectors, in its order.
            ngrams: Vectors of the buckets.
        """
        device = self.embedding.weight.device
        special = words.new_zeros(len(tokenizer) - len(words), self.options.dimension)
        self.tokenizer = tokenizer
        self.embedding = nn.Embedding.from_pretrained(torch.cat([special, words, ngrams]), freeze=False).to(device)

    def get_embedding_dimension(self) -> int:
        """Values of an embedding."""
        return self.options.dimension

    def words(self, text: str) -> list[str]:
        """Split a text into words, normalised."""
        backend = self.tokenizer.backend_tokenizer
        return [word for word, _ in backend.pre_tokenizer.pre_tokenize_str(backend.normalizer.normalize_str(text))]

    def _rows(self, text: str) -> Iterator[tuple[int, float]]:
        """The rows that a text's embedding is made of, each with its share of a word."""
        num_words, options = len(self.tokenizer), self.options
        for word in self.words(text):
            row = self.tokenizer.backend_tokenizer.token_to_id(word)
            if row is not None:
                yield row, 1.0
                continue
            buckets = ngram_buckets(word, min_n=options.min_n, max_n=options.max_n, num_buckets=options.num_buckets)
            yield from ((num_words + bucket, 1 / len(buckets)) for bucket in buckets)

    def preprocess(self, inputs: Sequence[str], prompt: str | None = None, **_: Any) -> dict[str, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride] text only
        """Turn texts into ``input_ids``, ``token_weights`` and ``attention_mask``, all ``(B, T)``."""
        found = [list(self._rows((prompt or "") + text)) for text in inputs]
        width = max(map(len, found), default=0) or 1
        token_ids = torch.zeros(len(found), width, dtype=torch.int64)
        weights = torch.zeros(len(found), width)
        for place, rows in enumerate(found):
            if rows:
                ids, shares = zip(*rows, strict=True)
                token_ids[place, : len(rows)] = torch.tensor(ids)
                weights[place, : len(rows)] = torch.tensor(shares)
        return {"input_ids": token_ids, "token_weights": weights, "attention_mask": (weights > 0).long()}

    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Add ``token_embeddings`` (B, T, D) and ``sentence_embedding`` (B, D)."""
        weights = features["token_weights"][..., None].to(self.embedding.weight.dtype)
        features["token_embeddings"] = self.embedding(features["input_ids"])
        total = (features["token_embeddings"] * weights).sum(dim=1)
        features["sentence_embedding"] = total / weights.sum(dim=1).clamp(min=torch.finfo(weights.dtype).tiny)
        return features


# Saved models name this path (docs/decisions.md), wherever the file moves.
FastTextEncoder.__module__ = "selfsent.modules"
