"""A trained table of token embeddings as an input module of the host: strings in, one embedding a token out."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

from selfsent.errors import UserError
from selfsent.modules.tokenized_input import TokenizedInput


class TokenEmbeddings(TokenizedInput):
    """Embed the tokens of a text, for modules of the host that read ``token_embeddings`` (LSTM, CNN, Pooling).

    The host's ``WordEmbeddings`` is for ready tables: in version 6.2 it cannot be trained with a tokenizer of
    transformers, whose wrapper does not take what the trainer passes on.

    Args:
        tokenizer: Turns strings into token ids, without special tokens.
        dimension: D, values of an embedding.
        dropout: Share of values dropped from token embeddings in training, in [0, 1).
        init_range: r; the table starts uniform in [-r, r].

    Raises:
        UserError: A setting is outside its range.
    """

    save_in_root = True
    described_as = "embeddings"

    config_keys: list[str] = ["dimension", "dropout", "init_range"]  # noqa: RUF012 the host's own declaration

    def __init__(
        self,
        *,
        tokenizer: PreTrainedTokenizerBase,
        dimension: int = 100,
        dropout: float = 0.2,
        init_range: float = 0.1,
    ) -> None:
        super().__init__()
        ranges = {"dimension": dimension >= 1, "dropout": 0 <= dropout < 1, "init_range": 0 < init_range < torch.inf}
        values = {"dimension": dimension, "dropout": dropout, "init_range": init_range}
        problems = [f"{name}={values[name]}" for name, is_within in ranges.items() if not is_within]
        if problems:
            raise UserError(
                f"token embeddings cannot be built with {', '.join(problems)}; a dimension is 1 or more, a dropout 0 or"
                " more and less than 1, a range more than 0"
            )
        self.tokenizer: Any = tokenizer
        self.dimension, self.dropout, self.init_range = dimension, dropout, init_range
        self.embedding = nn.Embedding(len(tokenizer), dimension)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights again, uniform in [-r, r]."""
        nn.init.uniform_(self.embedding.weight, -self.init_range, self.init_range)

    def get_embedding_dimension(self) -> int:
        """Values of an embedding."""
        return self.dimension

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
        features["token_embeddings"] = functional.dropout(embeddings, self.dropout, self.training)
        return features


# Saved models name this path (docs/decisions.md), wherever the file moves.
TokenEmbeddings.__module__ = "selfsent.modules"
