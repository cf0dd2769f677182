"""A trained table of token embeddings as an input module: strings in, one embedding a token out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

from selfsent.modules.tokenized_input import TokenizedInput
from selfsent.options import Options, names_of, option, takes_only


@dataclass(frozen=True, kw_only=True)
class TableOptions(Options):
    """A table of token embeddings.

    Args:
        dimension: D, values of an embedding.
        init_range: r; the table starts uniform in [-r, r].
    """

    dimension: int = option(100, at_least=1)
    init_range: float = option(0.1, above=0)


@dataclass(frozen=True, kw_only=True)
class TokenEmbeddingsOptions(TableOptions):
    """Options of `TokenEmbeddings`: the keys of its ``config.json``.

    Args:
        dropout: Share of values dropped from token embeddings in training.
    """

    dropout: float = option(0.2, at_least=0, below=1)


@dataclass(frozen=True, kw_only=True)
class _Arguments(TokenEmbeddingsOptions):
    tokenizer: PreTrainedTokenizerBase


class TokenEmbeddings(TokenizedInput):
    """Embed the tokens of a text, for the modules that read ``token_embeddings`` (LSTM, CNN, Pooling).

    ``WordEmbeddings`` is for ready tables: in version 6.2 of the library it cannot be trained with a tokenizer of
    transformers, whose wrapper does not take what the trainer passes on.

    Args:
        tokenizer: Turns strings into token ids, without special tokens.
        options: Options by keyword; see `TokenEmbeddingsOptions`.

    Raises:
        UserError: A setting is outside its range.
    """

    save_in_root = True
    described_as = "embeddings"

    config_keys: list[str] = names_of(TokenEmbeddingsOptions)

    @takes_only(_Arguments)
    def __init__(self, arguments: _Arguments) -> None:
        super().__init__()
        self.tokenizer: Any = arguments.tokenizer
        self.options = arguments.part(TokenEmbeddingsOptions)
        self.embedding = nn.Embedding(len(arguments.tokenizer), self.options.dimension)
        self.reset_parameters()

    def get_config_dict(self) -> dict[str, Any]:
        """Give the options, as ``config.json`` holds them."""
        return asdict(self.options)

    def reset_parameters(self) -> None:
        """Draw the weights again, uniform in [-r, r]."""
        nn.init.uniform_(self.embedding.weight, -self.options.init_range, self.options.init_range)

    def get_embedding_dimension(self) -> int:
        """Values of an embedding."""
        return self.options.dimension

    def preprocess(self, inputs: Sequence[str], prompt: str | None = None, **_: Any) -> dict[str, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride] text only
        """Turn texts into ``input_ids`` and ``attention_mask`` (B, T), and ``sentence_lengths`` (B,)."""
        texts = [(prompt or "") + text for text in inputs]
        options = {"return_attention_mask": False, "return_token_type_ids": False, "verbose": False}
        rows: list[list[int]] = self.tokenizer(texts, add_special_tokens=False, **options)["input_ids"] if texts else []
        lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
        width = max(map(len, rows), default=0) or 1
        pad = self.tokenizer.pad_token_id or 0
        padded = torch.tensor([row + [pad] * (width - len(row)) for row in rows], dtype=torch.int64)
        return {
            "input_ids": padded.view(len(rows), width),
            "attention_mask": (torch.arange(width) < lengths[:, None]).long(),
            "sentence_lengths": lengths,
        }

    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Add ``token_embeddings`` (B, T, D)."""
        embeddings = self.embedding(features["input_ids"])
        features["token_embeddings"] = functional.dropout(embeddings, self.options.dropout, self.training)
        return features


# Saved models name this path (docs/decisions.md), wherever the file moves.
TokenEmbeddings.__module__ = "selfsent.modules"
