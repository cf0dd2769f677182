"""Where the embedding table of a tree model starts: at random, or at what a count of the corpus already knows."""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from selfsent.counts.cooccurrences import cooccurrences, positive_pmi, principal_vectors
from selfsent.counts.latent_semantics import latent_semantics
from selfsent.counts.spelling import spelling_vectors
from selfsent.counts.token_frequencies import count_tokens
from selfsent.errors import UserError
from selfsent.modules import TreeEncoder
from selfsent.modules.weighted_embedding import FrequencyWeightedEmbedding

TableInit = Literal["uniform", "cooccurrence", "lsa"]
"""``uniform`` in [-r, r], as in the papers; ``cooccurrence`` adds the principal vectors of which tokens stand near each
other, ``lsa`` those of which passages tokens stand in."""

_CONTEXT_SMOOTHING = 0.75
_TINY = 1e-12
_NUM_SEEDS = 2**31


def start_table(
    encoder: TreeEncoder,
    texts: Iterable[str],
    *,
    table_init: TableInit = "uniform",
    window: int | None = None,
    texts_a_passage: int = 1,
    spelling: bool = False,
) -> None:
    """Count in the corpus what the table of a new encoder starts with, and its tokens' weights where it has such.

    Counted vectors and those of spelling are added to the uniform start, each with its mean square: the sum keeps apart
    tokens that stand near the same others, which is better on STS-B dev than the vectors alone (docs/experiments.md).

    Source: Levy, Goldberg and Dagan 2015 (singular vectors of positive pointwise mutual information, context counts to
    the power of 0.75); Deerwester et al. 1990 (latent semantic analysis); Bojanowski et al. 2017 (character n-grams);
    Arora, Liang and Ma 2017 for the weights.
    Differs: singular vectors of co-occurrence count alike; windows are whole texts unless ``window`` says otherwise.

    Args:
        encoder: As it was built.
        texts: The corpus; it is read anew for each of the two counts that is wanted.
        table_init: Where the rows come from.
        window: Farthest distance in tokens that counts as near; ``None``: in the same text.
        texts_a_passage: Texts in a row that are one passage to ``lsa``.
        spelling: Whether tokens that are spelt alike start alike.

    Raises:
        UserError: The window or the passage is out of range, or the tokenizer is not a compiled one.
    """
    _check(encoder.tokenizer, table_init, window, texts_a_passage)
    tokenizer: Any = encoder.tokenizer
    table = encoder.embedding.weight.data
    mean_square = float(table.square().mean())
    if table_init == "cooccurrence":
        counts = cooccurrences(texts, tokenizer.backend_tokenizer, window=window, unknown=tokenizer.unk_token_id)
        association = positive_pmi(counts, smoothing=_CONTEXT_SMOOTHING)
        _add(table, principal_vectors(association, dimension=table.shape[1], eigenvalue_power=0.0), mean_square)
    if table_init == "lsa":
        vectors = latent_semantics(
            texts, tokenizer.backend_tokenizer, dimension=table.shape[1], texts_a_passage=texts_a_passage
        )
        _add(table, vectors, mean_square)
    if spelling:
        tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
        seed = int(torch.randint(_NUM_SEEDS, ()))
        _add(table, spelling_vectors(tokens, dimension=table.shape[1], seed=seed), mean_square)
    if isinstance(encoder.embedding, FrequencyWeightedEmbedding):
        encoder.embedding.count(count_tokens(texts, encoder.tokenizer).counts)


def _add(table: torch.Tensor, vectors: np.ndarray[Any, Any], mean_square: float) -> None:
    """Add vectors, scaled to a mean square, to the rows and columns that they have."""
    scale = float(np.sqrt(mean_square / max(float(np.square(vectors).mean()), _TINY)))
    table[: vectors.shape[0], : vectors.shape[1]] += torch.from_numpy(vectors * scale).to(table)


def _check(tokenizer: PreTrainedTokenizerBase, table_init: TableInit, window: int | None, texts_a_passage: int) -> None:
    if window is not None and window < 1:
        raise UserError(f"window={window} holds no tokens; give 1 or more, or none for whole texts")
    if texts_a_passage < 1:
        raise UserError(f"texts_a_passage={texts_a_passage} holds no text; give 1 or more")
    if table_init != "uniform" and not tokenizer.is_fast:
        raise UserError(f"table_init={table_init} needs a tokenizer that comes as a tokenizer.json; name such a one")
