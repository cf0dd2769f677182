"""Translation language modelling: masked words of a sentence are found with the help of its translation."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

Features = Mapping[str, Any]


def joined_features(sources: Features, targets: Features, *, max_tokens: int) -> dict[str, Tensor]:
    """Put each text and its translation into one row: begin, text, separator, translation, end.

    The token that begins the translation is left out. Where both together are too long, each is cut to half.

    Source: Conneau and Lample 2019 (XLM), Section 3.3. Differs: positions run on and there are no language embeddings,
    as in LaBSE (Feng et al. 2022), Section 3.1.

    Args:
        sources: Token ids and attention mask of texts, each with a token before and after it.
        targets: The same of their translations, row by row.
        max_tokens: Positions of the model.

    Returns:
        Token ids and attention mask of the joined rows, padded on the right with the texts' own padding.
    """
    rows: list[Tensor] = []
    pairs = zip(_rows(sources), _rows(targets), strict=True)
    for source, target in pairs:
        follow = target[1:]
        kept = _cut(source, max(max_tokens // 2, max_tokens - len(follow)))
        rows.append(torch.cat([kept, _cut(follow, max_tokens - len(kept))]))
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    padding = _padding_id(sources, targets)
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=padding)
    return {"input_ids": ids, "attention_mask": mask}


def _rows(features: Features) -> list[Tensor]:
    """The token ids of each row without padding."""
    return [ids[mask.bool()] for ids, mask in zip(features["input_ids"], features["attention_mask"], strict=True)]


def _cut(row: Tensor, num_tokens: int) -> Tensor:
    """Shorten a row and keep the token that ends it."""
    return row if len(row) <= num_tokens else torch.cat([row[: num_tokens - 1], row[-1:]])


def _padding_id(*columns: Features) -> float:
    """The id that fills up the rows; any will do where no row is filled up, since the mask hides it."""
    for features in columns:
        filled = features["input_ids"][features["attention_mask"] == 0]
        if len(filled):
            return float(filled[0])
    return 0.0
