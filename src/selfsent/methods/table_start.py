"""Where the embedding table of a tree model starts: at random, or at what a count of the corpus already knows."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from selfsent.counts.cooccurrences import cooccurrences, positive_pmi, principal_vectors
from selfsent.counts.latent_semantics import latent_semantics
from selfsent.counts.spelling import spelling_vectors
from selfsent.counts.tokenized_texts import TokenizedTexts
from selfsent.freed_memory import give_back
from selfsent.modules.tree_encoder import ComposingEncoder
from selfsent.modules.weighted_embedding import FrequencyWeightedEmbedding
from selfsent.options import Options, option

TableInit = Literal["uniform", "cooccurrence", "lsa"]
"""``uniform`` in [-r, r], as in the papers; ``cooccurrence`` adds the principal vectors of which tokens stand near each
other, ``lsa`` those of which passages tokens stand in."""

_CONTEXT_SMOOTHING = 0.75
_TINY = 1e-12
_NUM_SEEDS = 2**31


@dataclass(frozen=True, kw_only=True)
class TableOptions(Options):
    """Where the embedding table of a tree model starts.

    Args:
        table_init: Where the table starts: ``uniform`` (papers), or with vectors added that say which tokens stand near
            each other (``cooccurrence``) or in the same passages (``lsa``); not in the papers, better on STS-B dev.
        window: How near, in tokens, is near to ``cooccurrence``; default: in the same text.
        texts_a_passage: How many texts in a row are one passage to ``lsa``; 1 unless neighbours belong together.
        spelling: Whether tokens spelt alike start alike, by vectors of their character n-grams added to the table; not
            in the papers, better on STS-B dev.
    """

    table_init: TableInit = "uniform"
    window: int | None = option(None, at_least=1)
    texts_a_passage: int = option(1, at_least=1)
    spelling: bool = False


def start_table(encoder: ComposingEncoder, texts: TokenizedTexts, options: TableOptions) -> None:
    """Count in the corpus what the table of a new encoder starts with, and its tokens' weights where it has such.

    Counted vectors and those of spelling are added to the uniform start, each with its mean square: the sum keeps apart
    tokens that stand near the same others, which is better on STS-B dev than the vectors alone (docs/experiments.md).

    Source: Levy, Goldberg and Dagan 2015 (singular vectors of positive pointwise mutual information, context counts to
    the power of 0.75); Deerwester et al. 1990 (latent semantic analysis); Bojanowski et al. 2017 (character n-grams);
    Arora, Liang and Ma 2017 for the weights.
    Differs: singular vectors of co-occurrence count alike; windows are whole texts unless ``window`` says otherwise.

    Args:
        encoder: As it was built.
        texts: The corpus.
        options: What the table starts with.
    """
    tokenizer: Any = encoder.tokenizer
    table = encoder.embedding.weight.data
    mean_square = float(table.square().mean())
    if options.table_init == "cooccurrence":
        counts = cooccurrences(texts, window=options.window, unknown=tokenizer.unk_token_id)
        association = positive_pmi(counts, smoothing=_CONTEXT_SMOOTHING)
        _add(table, principal_vectors(association, dimension=table.shape[1], eigenvalue_power=0.0), mean_square)
    if options.table_init == "lsa":
        vectors = latent_semantics(texts, dimension=table.shape[1], texts_a_passage=options.texts_a_passage)
        _add(table, vectors, mean_square)
        del vectors
        give_back()
    if options.spelling:
        tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
        seed = int(torch.randint(_NUM_SEEDS, ()))
        _add(table, spelling_vectors(tokens, dimension=table.shape[1], seed=seed), mean_square)
    if isinstance(encoder.embedding, FrequencyWeightedEmbedding):
        encoder.embedding.count(texts.counts())


def _add(table: torch.Tensor, vectors: np.ndarray[Any, Any], mean_square: float) -> None:
    """Add vectors, scaled to a mean square, to the rows and columns that they have."""
    scale = float(np.sqrt(mean_square / max(float(np.square(vectors).mean()), _TINY)))
    table[: vectors.shape[0], : vectors.shape[1]] += torch.from_numpy(vectors * scale).to(table)
