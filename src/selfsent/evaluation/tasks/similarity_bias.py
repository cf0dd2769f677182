"""What similarity follows besides meaning: the bias towards pairs that share frequent words, or are of equal length.

Unsupervised contrastive models are blamed for both; here they are partial rank correlations on pairs with gold scores.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

_WORD = re.compile(r"\w+")


def words_of(sentence: str) -> list[str]:
    """Split a sentence into lower-cased words; punctuation is left out, so that no model's own tokenizer decides."""
    return _WORD.findall(sentence.lower())


def frequent_words(sentences: Sequence[str], *, share: float = 0.5) -> frozenset[str]:
    """Name the most frequent words that together make up ``share`` of the running text.

    Args:
        sentences: The text counted over.
        share: Fraction of all running words (ours: half of English text is some hundred words).
    """
    counts = Counter(word for sentence in sentences for word in words_of(sentence))
    wanted = share * counts.total()
    chosen: set[str] = set()
    reached = 0
    for word, count in counts.most_common():
        if reached >= wanted:
            break
        chosen.add(word)
        reached += count
    return frozenset(chosen)


def word_overlap(
    pairs: Sequence[tuple[str, str]], keep: Callable[[str], bool] = lambda _: True
) -> Float[np.ndarray, " B"]:
    """Measure the Jaccard overlap of each pair's words: shared over all; 0 where neither side has one.

    Args:
        pairs: The two sentences of each pair.
        keep: Which words count.
    """
    overlaps: list[float] = []
    for first, second in pairs:
        one, other = ({word for word in words_of(sentence) if keep(word)} for sentence in (first, second))
        overlaps.append(len(one & other) / len(one | other) if one | other else 0.0)
    return np.array(overlaps)


def length_closeness(pairs: Sequence[tuple[str, str]]) -> Float[np.ndarray, " B"]:
    """Measure how alike the lengths of each pair are: the shorter over the longer, in words; 1 for equal lengths."""
    lengths = np.array([[len(words_of(first)), len(words_of(second))] for first, second in pairs], dtype=np.float64)
    longest = lengths.max(axis=1)
    return np.where(longest == 0, 1.0, lengths.min(axis=1) / np.where(longest == 0, 1.0, longest))


def frequency_bias_columns(
    similarities: NDArray[np.float64], gold: NDArray[np.float64], pairs: Sequence[tuple[str, str]]
) -> Float[np.ndarray, "B 4"]:
    """Lay out the frequency bias: similarity against overlap of frequent words, controlled for gold and other overlap.

    The bias (``PartialRankCorrelation`` of these columns) is positive where sharing *frequent* words raises the
    similarity of two sentences of the same gold score and the same overlap in their other words; 0 where it does not.

    Source: the complaint is SARCSE's (Liu et al. 2024); this measure of it is ours.

    Args:
        similarities: The model's similarity of each pair.
        gold: The gold score of each pair.
        pairs: The two sentences of each pair; frequencies are counted over them.
    """
    frequent = frequent_words([sentence for pair in pairs for sentence in pair])
    shared_frequent = word_overlap(pairs, lambda word: word in frequent)
    shared_rest = word_overlap(pairs, lambda word: word not in frequent)
    return np.column_stack([similarities, shared_frequent, gold, shared_rest])


def length_bias_columns(
    similarities: NDArray[np.float64], gold: NDArray[np.float64], pairs: Sequence[tuple[str, str]]
) -> Float[np.ndarray, "B 4"]:
    """Lay out the length bias: similarity and closeness in length; as controls gold and overlap of all words.

    The bias (``PartialRankCorrelation`` of these columns) is positive where equal length raises the similarity of two
    sentences of the same gold score and word overlap; 0 where it does not. The measure is ours.

    Args:
        similarities: The model's similarity of each pair.
        gold: The gold score of each pair.
        pairs: The two sentences of each pair.
    """
    return np.column_stack([similarities, length_closeness(pairs), gold, word_overlap(pairs)])
