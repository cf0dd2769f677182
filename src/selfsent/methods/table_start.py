"""Where the embedding table of a tree model starts: at random, or at what a count of the corpus already knows."""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from selfsent.data.cooccurrences import cooccurrences, positive_pmi, principal_vectors
from selfsent.data.token_frequencies import count_tokens
from selfsent.errors import UserError
from selfsent.modules import TreeEncoder
from selfsent.modules.weighted_embedding import FrequencyWeightedEmbedding

TableInit = Literal["uniform", "cooccurrence"]
"""``uniform`` in [-r, r], as in the papers; ``cooccurrence`` adds the principal
vectors of which tokens stand near each other."""

_CONTEXT_SMOOTHING = 0.75
_TINY = 1e-12


def start_table(
    encoder: TreeEncoder, texts: Iterable[str], *, table_init: TableInit = "uniform", window: int | None = None
) -> None:
    """Count in the corpus what the table of a new encoder starts with, and its tokens' weights where it has such.

    Co-occurrence vectors are added to the uniform start, with its mean square: the sum keeps apart tokens that stand
    near the same others, which is better on STS-B dev than the vectors alone (docs/experiments.md).

    Source: Levy, Goldberg and Dagan 2015 (singular vectors of positive pointwise mutual information, context counts to
    the power of 0.75); Arora, Liang and Ma 2017 for the weights.
    Differs: all singular vectors count alike; windows are whole texts unless ``window`` says otherwise.

    Args:
        encoder: As it was built.
        texts: The corpus; it is read anew for each of the two counts that is wanted.
        table_init: Where the rows come from.
        window: Farthest distance in tokens that counts as near; ``None``: in the same text.

    Raises:
        UserError: The window is out of range, or the tokenizer is not a compiled one.
    """
    _check(encoder.tokenizer, table_init, window)
    if table_init == "cooccurrence":
        tokenizer: Any = encoder.tokenizer
        counts = cooccurrences(texts, tokenizer.backend_tokenizer, window=window, unknown=tokenizer.unk_token_id)
        association = positive_pmi(counts, smoothing=_CONTEXT_SMOOTHING)
        table = encoder.embedding.weight.data
        vectors = principal_vectors(association, dimension=table.shape[1], eigenvalue_power=0.0)
        scale = float(table.square().mean().sqrt()) / max(float(np.sqrt(np.square(vectors).mean())), _TINY)
        table[: vectors.shape[0], : vectors.shape[1]] += torch.from_numpy(vectors * scale).to(table)
    if isinstance(encoder.embedding, FrequencyWeightedEmbedding):
        encoder.embedding.count(count_tokens(texts, encoder.tokenizer).counts)


def _check(tokenizer: PreTrainedTokenizerBase, table_init: TableInit, window: int | None) -> None:
    if window is not None and window < 1:
        raise UserError(f"window={window} holds no tokens; give 1 or more, or none for whole texts")
    if table_init == "cooccurrence" and not tokenizer.is_fast:
        raise UserError("table_init=cooccurrence needs a tokenizer that comes as a tokenizer.json; name such a one")
