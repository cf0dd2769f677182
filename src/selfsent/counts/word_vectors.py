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
from sklearn.preprocessing import normalize
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from selfsent.counts.cooccurrences import Counts, cooccurrences, positive_pmi, principal_vectors
from selfsent.counts.tokenized_texts import TokenizedTexts
from selfsent.errors import UserError
from selfsent.words import UNSPACED_SCRIPTS, Analyser

_UNKNOWN = "[UNK]"
_WORD_OR_CHARACTER = rf"[{UNSPACED_SCRIPTS}]|(?:(?![{UNSPACED_SCRIPTS}])\w)+"


def tfidf_svd(
    texts: Iterable[str],
    *,
    dimension: int = 256,
    max_vocabulary: int = 50_000,
    max_texts: int = 100_000,
    seed: int = 0,
) -> SentenceTransformer:
    """Fit TF-IDF with a truncated SVD: latent semantic analysis of the corpus.

    A text is the sum of its words' directions, each as long as the word's idf: the model is a static embedding table.
    Words of one stem have one direction, and an identifier is the sum of its parts.

    Args:
        texts: The corpus: whole documents with their titles where there are documents, else sentences.
        dimension: Values of an embedding; fewer where the corpus has fewer words or texts.
        max_vocabulary: The most frequent words kept.
        max_texts: Texts read from the start of the corpus.
        seed: Random seed of the SVD.

    Returns:
        A model; words it has not seen are ignored.

    Raises:
        UserError: The corpus holds fewer than two texts or three distinct words.

    Source: Deerwester et al. 1990, over logarithmic counts.
    Differs: a word's direction is scaled to length 1. As the SVD gives it, a frequent word is many times as long as a
        rare one of the same idf, and hides it: nDCG@10 on SciFact is 46 instead of 64 (docs/experiments.md).
    """
    kept = list(islice(texts, max_texts))
    tokenizer = _word_tokenizer(kept, max_vocabulary)
    stems = _stems_of_words(tokenizer, Analyser.of_corpus(kept))
    counts = csr_array(_document_counts(kept, tokenizer) @ stems)
    weighting = TfidfTransformer(sublinear_tf=True).fit(counts)
    svd = TruncatedSVD(_dimension(dimension, counts), random_state=seed).fit(weighting.transform(counts))
    directions = np.asarray(normalize(np.asarray(svd.components_).T * np.sqrt(svd.singular_values_)))
    return _static_model(tokenizer, stems @ (directions * np.asarray(weighting.idf_)[:, None]))


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
        dimension: Values of an embedding; fewer where the corpus has fewer words.
        window: Words on either side that count as context, all alike.
        max_vocabulary: The most frequent words kept.
        max_texts: Texts read from the start of the corpus.
        seed: Random seed of the SVD.

    Returns:
        A model that averages the vectors of a text's words; words it has not seen are ignored.

    Raises:
        UserError: The corpus holds fewer than two texts or three distinct words.

    Source: Levy, Goldberg and Dagan 2015: PPMI with context distribution smoothing of 0.75, SVD with eigenvalues to
        the power of one half.
    """
    kept = list(islice(texts, max_texts))
    tokenizer = _word_tokenizer(kept, max_vocabulary)
    unknown = tokenizer.token_to_id(_UNKNOWN)
    association = positive_pmi(cooccurrences(TokenizedTexts.of(kept, tokenizer), window=window, unknown=unknown))
    vectors = principal_vectors(association, dimension=dimension, eigenvalue_power=0.5, seed=seed)
    return _static_model(tokenizer, vectors)


def _word_tokenizer(texts: list[str], max_vocabulary: int) -> Tokenizer:
    """Train a tokenizer of whole lower-cased words, of characters in scripts without spaces; no punctuation."""
    tokenizer = Tokenizer(models.WordLevel(unk_token=_UNKNOWN))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_WORD_OR_CHARACTER), behavior="removed", invert=True)
    trainer = trainers.WordLevelTrainer(vocab_size=max_vocabulary, special_tokens=[_UNKNOWN], show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    if len(texts) < 2 or tokenizer.get_vocab_size() < 4:  # noqa: PLR2004 an SVD needs more sides than it gives
        raise _too_small(len(texts), tokenizer.get_vocab_size() - 1)
    return tokenizer


def _too_small(num_texts: int, num_words: int) -> UserError:
    return UserError(
        f"a corpus of {num_texts} texts and {num_words} words is too small for word vectors; "
        "name the training corpus with --corpus"
    )


def _stems_of_words(tokenizer: Tokenizer, analyser: Analyser) -> Counts:
    """Which stems each word of a vocabulary has, words by stems: one, or those of an identifier and of its parts."""
    ids: dict[str, int] = {}
    pairs = [
        (number, ids.setdefault(stem, len(ids)))
        for word, number in sorted(tokenizer.get_vocab().items())
        if word != _UNKNOWN
        for stem in analyser.analyse(word)
    ]
    words, stems = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return csr_array((np.ones(len(pairs)), (words, stems)), shape=(tokenizer.get_vocab_size(), len(ids)))


def _document_counts(texts: list[str], tokenizer: Tokenizer) -> Counts:
    ((ids, document),) = TokenizedTexts.of(texts, tokenizer).blocks(len(texts))
    known = ids != tokenizer.token_to_id(_UNKNOWN)
    shape = (len(texts), tokenizer.get_vocab_size())
    return csr_array((np.ones(known.sum()), (document[known], ids[known])), shape=shape)


def _dimension(wanted: int, matrix: Counts) -> int:
    sides: tuple[int, int] = matrix.shape  # pyright: ignore[reportAssignmentType] scipy leaves it open
    if min(sides) < 2:  # noqa: PLR2004 words of the corpus may all have one stem
        raise _too_small(*sides)
    return min(wanted, min(sides) - 1)


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
