"""Word vectors fitted on a corpus, averaged: TF-IDF with an SVD, and positive pointwise mutual information with one.

Both are ordinary models of the host, so they can be evaluated, saved and searched with.
"""

from collections.abc import Iterable
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from selfsent.data.cooccurrences import Counts, cooccurrences, positive_pmi, principal_vectors, word_ids
from selfsent.errors import UserError

_UNKNOWN = "[UNK]"


def tfidf_svd(
    texts: Iterable[str],
    *,
    dimension: int = 256,
    max_vocabulary: int = 50_000,
    max_texts: int = 100_000,
    seed: int = 0,
) -> SentenceTransformer:
    """Fit TF-IDF with a truncated SVD: latent semantic analysis of the corpus.

    The projection of a text is, up to its length, the sum of one vector a word: the model is a static embedding table.

    Args:
        texts: The corpus; one text, one document.
        dimension: Of the embedding; fewer where the corpus has fewer words or texts.
        max_vocabulary: The most frequent words kept.
        max_texts: Texts read from the start of the corpus.
        seed: Of the randomised SVD.

    Returns:
        A model whose cosines are those of scikit-learn's ``TfidfTransformer`` and ``TruncatedSVD``; words it has not
        seen count for nothing.

    Raises:
        UserError: The corpus holds fewer than two texts or three distinct words.

    Source: Deerwester et al. 1990.
    """
    kept = list(islice(texts, max_texts))
    tokenizer = _word_tokenizer(kept, max_vocabulary)
    counts = _document_counts(kept, tokenizer)
    weighting = TfidfTransformer().fit(counts)
    svd = TruncatedSVD(_dimension(dimension, counts), random_state=seed).fit(weighting.transform(counts))
    weights = np.asarray(weighting.idf_, dtype=np.float64)
    return _static_model(tokenizer, np.asarray(svd.components_, dtype=np.float64).T * weights[:, None])


def word_vectors(
    texts: Iterable[str],
    *,
    dimension: int = 256,
    window: int = 5,
    max_vocabulary: int = 20_000,
    max_texts: int = 100_000,
    seed: int = 0,
) -> SentenceTransformer:
    """Average word embeddings of the corpus, made by factorising positive pointwise mutual information.

    Args:
        texts: The corpus; a window does not cross from one text to the next.
        dimension: Of the embedding; fewer where the corpus has fewer words.
        window: Words on either side that count as context, all alike.
        max_vocabulary: The most frequent words kept.
        max_texts: Texts read from the start of the corpus.
        seed: Of the randomised SVD.

    Returns:
        A model that averages the vectors of a text's words; words it has not seen count for nothing.

    Raises:
        UserError: The corpus holds fewer than two texts or three distinct words.

    Source: Levy, Goldberg and Dagan 2015: PPMI with context distribution smoothing of 0.75, SVD with eigenvalues to
        the power of one half.
    """
    kept = list(islice(texts, max_texts))
    tokenizer = _word_tokenizer(kept, max_vocabulary)
    unknown = tokenizer.token_to_id(_UNKNOWN)
    association = positive_pmi(cooccurrences(kept, tokenizer, window=window, unknown=unknown))
    vectors = principal_vectors(association, dimension=dimension, eigenvalue_power=0.5, seed=seed)
    return _static_model(tokenizer, vectors)


def _word_tokenizer(texts: list[str], max_vocabulary: int) -> Tokenizer:
    """Train a tokenizer of whole lower-cased words; punctuation is left out."""
    tokenizer = Tokenizer(models.WordLevel(unk_token=_UNKNOWN))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\w+"), behavior="removed", invert=True)
    trainer = trainers.WordLevelTrainer(vocab_size=max_vocabulary, special_tokens=[_UNKNOWN], show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    if len(texts) < 2 or tokenizer.get_vocab_size() < 4:  # noqa: PLR2004 an SVD needs more sides than it gives
        raise UserError(
            f"a corpus of {len(texts)} texts and {tokenizer.get_vocab_size() - 1} words is too small for word vectors; "
            "name the training corpus with --corpus"
        )
    return tokenizer


def _document_counts(texts: list[str], tokenizer: Tokenizer) -> Counts:
    ids, document = word_ids(texts, tokenizer)
    known = ids != tokenizer.token_to_id(_UNKNOWN)
    shape = (len(texts), tokenizer.get_vocab_size())
    return csr_array((np.ones(known.sum()), (document[known], ids[known])), shape=shape)


def _dimension(wanted: int, matrix: Counts) -> int:
    num_sides: tuple[int, int] = matrix.shape  # pyright: ignore[reportAssignmentType] scipy leaves it open
    return min(wanted, min(num_sides) - 1)


def _static_model(tokenizer: Tokenizer, table: NDArray[np.float64]) -> SentenceTransformer:
    """Average the rows of ``table``; the unknown word's row is zero."""
    weights = torch.from_numpy(np.ascontiguousarray(table, dtype=np.float32))
    weights[tokenizer.token_to_id(_UNKNOWN)] = 0
    return table_model(tokenizer, weights)


def table_model(tokenizer: Tokenizer, weights: torch.Tensor) -> SentenceTransformer:
    """Make the model that averages the rows of a table over the tokens of a text, scaled to length one.

    Args:
        tokenizer: Gives the ids; the host's module changes its padding.
        weights: One row an id.
    """
    return SentenceTransformer(
        modules=[StaticEmbedding(tokenizer, embedding_weights=weights), Normalize()], device="cpu"
    )
