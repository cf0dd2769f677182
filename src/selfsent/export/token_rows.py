"""The embedding that a model gives to each of its tokens alone: the table of a static model."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from selfsent.errors import UserError
from selfsent.modules.tokenized_input import TokenizedInput

_TOKENS_AT_ONCE = 512
ZIPF_WEIGHT = 1e-3
"""a of the weights a / (a + p) of a distilled table; p is the token's share, by Zipf's law from its rank."""


def is_normalised(model: SentenceTransformer) -> bool:
    """Whether the last module scales embeddings to length 1."""
    return isinstance(list(model.children())[-1], Normalize)


def unscaled(model: SentenceTransformer) -> list[nn.Module]:
    """The modules of a model, without one at the end that scales embeddings to length 1."""
    modules = list(model.children())
    return modules[:-1] if is_normalised(model) else modules


def has_table(model: SentenceTransformer) -> bool:
    """Whether the first module is a table of token embeddings, with whatever composes them."""
    return isinstance(model[0], StaticEmbedding | TokenizedInput)


def tokenizer_of(model: SentenceTransformer) -> Tokenizer:
    """Give a copy of a model's tokenizer as it stands in ``tokenizer.json``, that neither pads nor cuts.

    Raises:
        UserError: The model has none of that kind.
    """
    tokenizer: Any = getattr(model[0], "tokenizer", None)
    if isinstance(tokenizer, PreTrainedTokenizerBase) and tokenizer.is_fast:
        tokenizer = tokenizer.backend_tokenizer  # pyright: ignore[reportAttributeAccessIssue] a compiled one
    if not isinstance(tokenizer, Tokenizer):
        raise UserError(
            f"a static model needs a tokenizer of the kind of tokenizer.json, and {type(model[0]).__name__} has none;"
            " name a tree model, a static one, or a transformer with a fast tokenizer"
        )
    copy: Tokenizer = Tokenizer.from_str(tokenizer.to_str())
    copy.no_padding()
    copy.no_truncation()
    return copy


def token_rows(model: SentenceTransformer, tokenizer: Tokenizer) -> NDArray[np.float32]:
    """Embed each token as a text of its own, before embeddings are scaled to length 1.

    A model that takes the mean or the sum of its tokens is a static one with this table, exactly. Of a tree model whose
    cell does more, and of a transformer, the table is an approximation: see ``distilled``.

    Args:
        model: The model.
        tokenizer: ``tokenizer_of`` the model.

    Returns:
        ``(V, D)``, a row for each token id.

    Raises:
        UserError: The first module takes no tokens.
    """
    num_tokens = max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1
    was_training = model.training
    model.eval()
    with torch.no_grad():
        rows = [_embedded(model, features) for features in _each_token(model, num_tokens)]
    model.train(was_training)
    return np.concatenate(rows).astype(np.float32)


def distilled(rows: NDArray[np.float32], tokenizer: Tokenizer) -> NDArray[np.float32]:
    """Make a table of a transformer's tokens that can be averaged: centred, and with frequent tokens weighing less.

    Tokens of a transformer share a large part, which would make all texts alike: their mean is taken out. A vocabulary
    of word pieces stands in the order of frequency, so shares follow from ranks by Zipf's law. Rows of special tokens,
    which no text holds, are zero.

    Args:
        rows: What ``token_rows`` gives.
        tokenizer: The tokenizer.
    """
    special_ids = [number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special]
    is_text = np.ones(len(rows), dtype=bool)
    is_text[special_ids] = False
    shares = is_text / np.arange(1, len(rows) + 1)
    shares /= shares.sum()
    weights = np.where(is_text, ZIPF_WEIGHT / (ZIPF_WEIGHT + shares), 0)
    centre = rows[is_text].mean(axis=0, dtype=np.float64)
    return ((rows - centre) * weights[:, None]).astype(np.float32)


def _embedded(model: SentenceTransformer, features: dict[str, Tensor]) -> NDArray[np.float32]:
    found: Any = {name: value.to(model.device) for name, value in features.items()}
    for module in unscaled(model):
        found = module(found)
    return found["sentence_embedding"].float().cpu().numpy()


def _each_token(model: SentenceTransformer, num_tokens: int) -> Iterator[dict[str, Tensor]]:
    """Features of texts of one token each."""
    first: Any = model[0]
    before, after = _ends(first.tokenizer) if isinstance(first, Transformer) else ((), ())
    for start in range(0, num_tokens, _TOKENS_AT_ONCE):
        ids = torch.arange(start, min(start + _TOKENS_AT_ONCE, num_tokens))
        if isinstance(first, StaticEmbedding):
            yield {"input_ids": ids, "offsets": torch.arange(len(ids))}
            continue
        if not isinstance(first, Transformer | TokenizedInput):
            raise UserError(
                f"{type(first).__name__} has no embedding for each token; name a tree model, a static one, or a"
                " transformer"
            )
        rows = torch.tensor([[*before, 0, *after]]).repeat(len(ids), 1)
        rows[:, len(before)] = ids
        ones = torch.ones_like(rows)
        yield {
            "input_ids": rows,
            "attention_mask": ones,
            "token_weights": ones.float(),
            "sentence_lengths": ones[:, 0],
            "split_depths": torch.zeros_like(rows),
        }


def _ends(tokenizer: Any) -> tuple[Sequence[int], Sequence[int]]:
    """The tokens that a transformer's tokenizer puts before and behind a text."""
    bare: Any = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole: Any = tokenizer("a")["input_ids"]
    place = next((start for start in range(len(whole)) if whole[start : start + len(bare)] == bare), 0)
    return whole[:place], whole[place + len(bare) :]
