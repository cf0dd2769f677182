"""Topic vectors of tokens, from the passages of a corpus that they share."""

from collections.abc import Iterable
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.preprocessing import normalize
from tokenizers import Tokenizer

from selfsent.counts.cooccurrences import word_ids

_TEXTS_AT_ONCE = 50_000
_ITERATIONS = 3


def latent_semantics(
    texts: Iterable[str], tokenizer: Tokenizer, *, dimension: int, texts_a_passage: int = 1, seed: int = 0
) -> NDArray[np.float32]:
    """Give each token the direction of the passages that contain it.

    Time and memory grow with the tokens of the corpus, not with the pairs of tokens that stand in one passage.

    Source: Deerwester et al. 1990 (latent semantic analysis), over logarithmic tf-idf.
    Differs: a token's vector is scaled by the square root of the singular values, and to length 1.

    Args:
        texts: The corpus, read once.
        tokenizer: Gives the tokens of a text.
        dimension: Values of a vector; the last stay zero where the corpus has fewer passages or tokens.
        texts_a_passage: How many texts, one after another, are one passage. Wikipedia's sentences in their order say
            more in fours; where neighbours have nothing to do with each other, 1 is right.
        seed: Random seed of the SVD.

    Returns:
        Vectors ``(V, dimension)``; zero for a token that is not in the corpus.
    """
    return semantics_of_counts(_counts(texts, tokenizer, texts_a_passage), dimension=dimension, seed=seed)


def semantics_of_counts(counts: csr_array, *, dimension: int, seed: int = 0) -> NDArray[np.float32]:
    """Give each token the direction of the passages that contain it, from ready counts.

    Args:
        counts: How often each token stands in each passage, ``(passages, V)``.
        dimension: As for ``latent_semantics``.
        seed: Random seed of the SVD.

    Returns:
        Vectors ``(V, dimension)`` of length 1; zero for a token that no passage holds.
    """
    shape: tuple[int, int] = counts.shape  # pyright: ignore[reportAssignmentType] scipy leaves it open
    vectors = np.zeros((shape[1], dimension), dtype=np.float32)
    rank = min(dimension, min(shape) - 1)
    if rank < 1:
        return vectors
    svd = TruncatedSVD(rank, n_iter=_ITERATIONS, random_state=seed)
    with np.errstate(invalid="ignore"):  # passages that are all equal have no variance, and nothing here reads it
        svd.fit(TfidfTransformer(sublinear_tf=True).fit_transform(counts))
    vectors[:, :rank] = np.asarray(normalize(np.asarray(svd.components_).T * np.sqrt(svd.singular_values_)))
    vectors[counts.sum(axis=0) == 0] = 0
    return vectors


def _counts(texts: Iterable[str], tokenizer: Tokenizer, texts_a_passage: int) -> csr_array:
    """How often each token stands in each passage."""
    size = tokenizer.get_vocab_size()
    whole_passages = max(_TEXTS_AT_ONCE // texts_a_passage, 1) * texts_a_passage
    unread = iter(texts)
    parts: list[csr_array] = []
    while part := list(islice(unread, whole_passages)):
        ids, text = word_ids(part, tokenizer)
        num_passages = -(-len(part) // texts_a_passage)
        ones = np.ones(len(ids), dtype=np.float32)
        parts.append(csr_array((ones, (text // texts_a_passage, ids)), shape=(num_passages, size)))
    return csr_array(vstack(parts)) if parts else csr_array((0, size), dtype=np.float32)
