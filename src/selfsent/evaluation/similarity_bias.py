"""What similarity follows besides meaning: the bias towards pairs that share frequent words, or are of equal length.

Unsupervised contrastive models are blamed for both; here they are partial rank correlations on pairs with gold scores.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from selfsent.evaluation.statistics import STATISTICS, Spearman

_WORD = re.compile(r"\w+")
_NOTHING_LEFT = 1e-9


class PartialRankCorrelation:
    """Correlates the ranks of two columns after taking out of both what the ranks of the other columns explain.

    Items are rows of the two variables and any number of controls. The value lies between -1 and 1; it is NaN where
    one of the two variables is constant, or wholly explained by the controls.

    Source: partial correlation from a correlation matrix, applied to Spearman's rank correlations.
    """

    name = "partial_rank_correlation"

    def __call__(self, items: NDArray[np.float64]) -> float:
        """Compute the partial rank correlation of ``items``."""
        return float(self.of_counts(items, np.ones((1, len(items))))[0])

    def of_counts(self, items: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute it of each resample, given how often each was drawn (``selfsent.evaluation.statistics``)."""
        correlations = _rank_correlations(items, counts)
        undefined = np.isnan(correlations[:, 0, 0]) | np.isnan(correlations[:, 1, 1])
        known = np.nan_to_num(correlations)
        pair, across, controls = known[:, :2, :2], known[:, :2, 2:], known[:, 2:, 2:]
        left_over = pair - across @ np.linalg.pinv(controls, hermitian=True) @ across.transpose(0, 2, 1)
        variances = np.maximum(left_over[:, [0, 1], [0, 1]], 0)
        undefined |= (variances < _NOTHING_LEFT).any(axis=1)
        scale = np.sqrt(np.where(undefined, 1.0, variances.prod(axis=1)))
        return np.where(undefined, np.nan, np.clip(left_over[:, 0, 1] / scale, -1.0, 1.0))


STATISTICS[PartialRankCorrelation.name] = PartialRankCorrelation()


def _rank_correlations(items: NDArray[np.float64], counts: NDArray[np.float64]) -> Float[np.ndarray, "R C C"]:
    """Correlate every two columns on each resample; a constant column gives NaN, on the diagonal too."""
    num_columns = items.shape[1]
    correlations = np.empty((len(counts), num_columns, num_columns))
    for one in range(num_columns):
        for other in range(one, num_columns):
            value = Spearman().of_counts(items[:, [one, other]], counts)
            correlations[:, one, other] = correlations[:, other, one] = value
    return correlations


def words_of(sentence: str) -> list[str]:
    """Split a sentence into lower-cased words; punctuation is left out, so that no model's own tokenizer decides."""
    return _WORD.findall(sentence.lower())


def frequent_words(sentences: Sequence[str], *, share: float = 0.5) -> frozenset[str]:
    """Name the most frequent words that together make up ``share`` of the running text.

    Args:
        sentences: The text counted over.
        share: Of all running words (ours: half of English text is some hundred words).
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
    """Lay out the frequency bias: similarity and overlap of frequent words; as controls gold and overlap of the rest.

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
