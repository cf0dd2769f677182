"""Synonyms without a dictionary: the nearest neighbours of a word among word vectors of the corpus itself."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from selfsent.counts.word_vectors import word_vectors
from selfsent.errors import UserError
from selfsent.views.lexicon import Lexicon, read_lexicon

_WORD = re.compile(r"\w+")
_ROWS_A_PRODUCT = 1024


def neighbour_lexicon(
    texts: Iterable[str],
    *,
    cache_dir: Path | None = None,
    num_neighbours: int = 3,
    min_similarity: float = 0.4,
    min_count: int = 20,
    num_frequent: int = 50,
    max_vocabulary: int = 10_000,
    max_texts: int = 100_000,
) -> Lexicon:
    """Give every content word of a corpus the words that occur in the same contexts.

    Such words can replace the word, which is less than being a synonym: opposites and names of similar things are
    among them. Stop words (English ones, and the most frequent of the corpus, whatever its language) and whatever
    holds a digit are neither replaced nor put in.

    Args:
        texts: The corpus.
        cache_dir: A folder to keep the lexicon in, as ``neighbours-HASH.tsv``, keyed by texts and settings.
        num_neighbours: Synonyms a word, at most.
        min_similarity: Least cosine of a word and its synonym; a word without such a neighbour is never replaced
            (chosen by reading neighbours of English Wikipedia, not tuned on a task).
        min_count: Rarer words are left out: their contexts say too little.
        num_frequent: How many of the most frequent words of the corpus count as stop words.
        max_vocabulary: Most frequent words that have vectors.
        max_texts: Texts read from the start of the corpus.

    Returns:
        The lexicon.

    Raises:
        UserError: The corpus is too small to have words that occur often enough, or the cache cannot be written.

    Source: the vectors are those of ``evaluation.word_vectors``: positive pointwise mutual information and an SVD
        (Levy, Goldberg and Dagan 2015), with two words on either side as context.
    """
    kept = list(islice(texts, max_texts))
    settings = (num_neighbours, min_similarity, min_count, num_frequent, max_vocabulary)
    key = hashlib.sha256("\n".join([repr(settings), *kept]).encode("utf8", "surrogatepass")).hexdigest()[:16]
    path = None if cache_dir is None else cache_dir / f"neighbours-{key}.tsv"
    if path is not None and path.is_file():
        return read_lexicon(path)
    counts = Counter(word for text in kept for word in _WORD.findall(text.lower()))
    words = _content_words(counts, min_count=min_count, num_frequent=num_frequent)
    names, vectors = _unit_vectors(kept, words, max_vocabulary)
    synonyms = _neighbours(names, vectors, num_neighbours, min_similarity)
    if not synonyms:
        raise UserError(
            f"no two of the {len(names)} content words that are frequent enough in the corpus occur in similar "
            "contexts: give more text, or a lexicon"
        )
    lexicon = Lexicon(name=f"neighbours-{key}.tsv", synonyms=synonyms)
    if path is not None:
        lexicon.write(path)
    return lexicon


def _content_words(counts: Counter[str], *, min_count: int, num_frequent: int) -> set[str]:
    stop_words = ENGLISH_STOP_WORDS.union(word for word, _ in counts.most_common(num_frequent))
    words = {word for word, count in counts.items() if count >= min_count and word.isalpha() and len(word) > 1}
    return words - stop_words


def _neighbours(
    names: list[str], vectors: NDArray[np.float32], num_neighbours: int, min_similarity: float
) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for start in range(0, len(names), _ROWS_A_PRODUCT):
        similarity = vectors[start : start + _ROWS_A_PRODUCT] @ vectors.T
        rows = np.arange(len(similarity))
        similarity[rows, start + rows] = -np.inf
        nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :num_neighbours]
        for row, columns in enumerate(nearest):
            close = tuple(names[column] for column in columns if similarity[row, column] >= min_similarity)
            if close:
                found[names[start + row]] = close
    return found


def _unit_vectors(texts: list[str], words: set[str], max_vocabulary: int) -> tuple[list[str], NDArray[np.float32]]:
    """The words among those wanted that have a vector, most frequent first, and their vectors at length one."""
    module = cast("Any", word_vectors(texts, window=2, max_vocabulary=max_vocabulary, max_texts=len(texts))[0])
    vocabulary: dict[str, int] = module.tokenizer.get_vocab()
    names = [word for word in sorted(vocabulary, key=vocabulary.__getitem__) if word in words]
    vectors = module.embedding.weight.detach()[torch.tensor([vocabulary[word] for word in names], dtype=torch.long)]
    return names, torch.nn.functional.normalize(vectors, dim=1).numpy()
