"""Co-occurrences of the words of a corpus, and word vectors made of them."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, diags_array
from sklearn.decomposition import TruncatedSVD

from selfsent.counts.tokenized_texts import TOKENS_AT_ONCE, Ids, TokenizedTexts

Counts = csr_array
"""A sparse matrix of counts."""

_EMPTY = 1e-9


def cooccurrences(texts: TokenizedTexts, *, window: int | None, unknown: int | None) -> Counts:
    """Count how often two words stand near each other, in both directions.

    Memory grows with the distinct pairs of words, not with the corpus.

    Args:
        texts: The corpus, as ids of words; a window does not cross from one text to the next.
        window: The farthest distance that counts, in words; all distances count alike. ``None``: the whole text.
        unknown: Id of the unknown word, which holds a place and does not count.

    Returns:
        Words by words, symmetric.
    """
    num_words = texts.num_ids
    total = csr_array((num_words, num_words), dtype=np.float64)
    for ids, document in texts.blocks(texts.texts_at_once(TOKENS_AT_ONCE)):
        known = np.ones(len(ids), dtype=np.bool_) if unknown is None else ids != unknown
        if window is None:
            total = total + _of_whole_texts(ids[known], document[known], num_words)
        else:
            total = total + _within(window, ids, document, known, num_words)
    return csr_array(total)


def _within(window: int, ids: Ids, document: Ids, known: NDArray[np.bool_], num_words: int) -> Counts:
    """Count the pairs of all distances up to ``window``, in both directions."""
    total = csr_array((num_words, num_words), dtype=np.float64)
    longest = int(np.bincount(document).max(initial=0))
    for distance in range(1, min(window + 1, longest)):
        together = (document[:-distance] == document[distance:]) & known[:-distance] & known[distance:]
        one, other = ids[:-distance][together], ids[distance:][together]
        total = total + csr_array((np.ones(len(one)), (one, other)), shape=total.shape)
    return csr_array(total + total.T)


def _of_whole_texts(ids: Ids, document: Ids, num_words: int) -> Counts:
    """Count the pairs of all words of a text: products of their counts, less each word's pair with itself."""
    texts = csr_array((np.ones(len(ids)), (document, ids)), shape=(int(document.max(initial=-1)) + 1, num_words))
    pairs = csr_array(texts.T @ texts - diags_array(texts.sum(axis=0)))
    pairs.eliminate_zeros()
    return pairs


def positive_pmi(counts: Counts, *, smoothing: float = 0.75) -> Counts:
    """Turn co-occurrence counts into positive pointwise mutual information.

    Source: Levy, Goldberg and Dagan 2015, with context distribution smoothing.

    Args:
        counts: Words by contexts.
        smoothing: Power that the counts of contexts are raised to.

    Returns:
        ``max(0, log(p(w, c) / (p(w) p(c))))``, sparse, nats.
    """
    of_word = counts.sum(axis=1)
    of_context = counts.sum(axis=0) ** smoothing
    present: coo_array = counts.tocoo()
    expected = of_word[present.row] * of_context[present.col] / of_context.sum()
    values = np.log(present.data / expected)
    kept = values > 0
    return csr_array((values[kept], (present.row[kept], present.col[kept])), shape=counts.shape)


def principal_vectors(
    association: Counts, *, dimension: int, eigenvalue_power: float, seed: int = 0
) -> NDArray[np.float64]:
    """Factorise an association of words with contexts into one vector a word.

    Source: Levy, Goldberg and Dagan 2015: left singular vectors times singular values to a power.

    Args:
        association: Words by contexts.
        dimension: Values of a vector; fewer where the matrix has fewer sides.
        eigenvalue_power: 1 keeps the matrix's own products, 0 weighs all directions alike.
        seed: Random seed of the SVD.

    Returns:
        Vectors ``(V, E)``; a word without any association has the zero vector.
    """
    num_sides: tuple[int, int] = association.shape  # pyright: ignore[reportAssignmentType] scipy leaves it open
    svd = TruncatedSVD(min(dimension, min(num_sides) - 1), random_state=seed)
    scaled = np.asarray(svd.fit_transform(association), dtype=np.float64)
    singular_values = np.asarray(svd.singular_values_, dtype=np.float64)
    is_empty = singular_values <= _EMPTY * singular_values.max()
    return scaled * np.where(is_empty, 0.0, np.where(is_empty, 1.0, singular_values) ** (eigenvalue_power - 1))
