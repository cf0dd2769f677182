"""Topic vectors of tokens, from the passages of a corpus that they share."""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, load_npz, save_npz
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.preprocessing import normalize

from selfsent.counts.streamed_svd import OfBlock, SumOverBlocks, right_singular_vectors, sum_over
from selfsent.counts.tokenized_texts import TOKENS_AT_ONCE, TokenizedTexts


def latent_semantics(
    texts: TokenizedTexts, *, dimension: int, texts_a_passage: int = 1, seed: int = 0
) -> NDArray[np.float32]:
    """Give each token the direction of the passages that contain it.

    Counts are kept in files while this runs, so memory grows with the vocabulary and not with the corpus.

    Source: Deerwester et al. 1990 (latent semantic analysis), over logarithmic tf-idf.
    Differs: a token's vector is scaled by the square root of the singular values, and to length 1.

    Args:
        texts: The corpus, as token ids.
        dimension: Values of a vector; the last stay zero where the corpus has fewer passages or tokens.
        texts_a_passage: How many texts, one after another, are one passage. Wikipedia's sentences in their order say
            more in fours; where neighbours have nothing to do with each other, 1 is right.
        seed: Random seed of the SVD.

    Returns:
        Vectors ``(V, dimension)``; zero for a token that is not in the corpus.
    """
    if not len(texts):
        return np.zeros((texts.num_ids, dimension), dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        files: list[Path] = []
        for block in passage_counts(texts, texts_a_passage):
            files.append(Path(folder) / f"{len(files)}.npz")
            save_npz(files[-1], block, compressed=False)
        blocks = partial(sum_over, lambda: (csr_array(load_npz(file)) for file in files))
        return semantics_of_counts(blocks, texts.num_ids, dimension=dimension, seed=seed)


def semantics_of_counts(
    sum_over_blocks: SumOverBlocks, num_tokens: int, *, dimension: int, seed: int = 0
) -> NDArray[np.float32]:
    """Give each token the direction of the passages that contain it, from ready counts.

    Args:
        sum_over_blocks: Goes through how often each token stands in each passage, ``(passages, V)`` in blocks of
            passages, seven times.
        num_tokens: V.
        dimension: As for ``latent_semantics``.
        seed: Random seed of the SVD.

    Returns:
        Vectors ``(V, dimension)`` of length 1; zero for a token that no passage holds.
    """
    vectors = np.zeros((num_tokens, dimension), dtype=np.float32)
    held = sum_over_blocks(_held)
    num_passages, num_holding = int(held[-1]), held[:-1]
    rank = min(dimension, min(num_passages, num_tokens) - 1)
    if rank < 1:
        return vectors
    weighting = TfidfTransformer(sublinear_tf=True)
    weighting.idf_ = (np.log((1 + num_passages) / (1 + num_holding)) + 1).astype(np.float32)
    values, directions = right_singular_vectors(
        lambda of_block: sum_over_blocks(partial(_of_weighted, weighting=weighting, of_block=of_block)),
        num_tokens,
        rank,
        seed=seed,
    )
    directions *= np.sqrt(values).astype(np.float32)
    directions[num_holding == 0] = 0
    vectors[:, :rank] = np.asarray(normalize(directions, copy=False))
    return vectors


def _held(block: csr_array) -> NDArray[np.int64]:
    """How many passages hold each token, and behind that how many passages there are."""
    num_passages, num_tokens = block.shape  # pyright: ignore[reportGeneralTypeIssues] scipy leaves it open
    return np.append(np.bincount(block.indices, minlength=num_tokens), num_passages)


def _of_weighted(block: csr_array, *, weighting: TfidfTransformer, of_block: OfBlock) -> np.ndarray[Any, Any]:
    return of_block(csr_array(weighting.transform(block)))


def passage_counts(texts: TokenizedTexts, texts_a_passage: int) -> Iterator[csr_array]:
    """Count how often each token stands in each passage, about a million tokens at a time.

    Args:
        texts: The corpus, as token ids.
        texts_a_passage: How many texts, one after another, are one passage.

    Yields:
        Passages by tokens.
    """
    whole_passages = max(texts.texts_at_once(TOKENS_AT_ONCE) // texts_a_passage, 1) * texts_a_passage
    num_left = len(texts)
    for ids, text in texts.blocks(whole_passages):
        num_passages = -(-min(num_left, whole_passages) // texts_a_passage)
        num_left -= whole_passages
        ones = np.ones(len(ids), dtype=np.float32)
        yield csr_array((ones, (text // texts_a_passage, ids)), shape=(num_passages, texts.num_ids))
