"""Phrases of a corpus: neighbouring tokens of high mutual information, found in token ids and joined into one entry."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfsent.counts.tokenized_texts import TokenizedTexts


def first_of_pairs(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Choose pairs from left to right so that none shares a token with another.

    Args:
        mask: Whether token i and the next one may be joined.

    Returns:
        True for the first token of each chosen pair: in a run of pairs that overlap, every other one.
    """
    places = np.arange(len(mask))
    before_run = np.maximum.accumulate(np.where(mask, -1, places)) if len(mask) else places
    return mask & ((places - before_run) % 2 == 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Phrases:
    """Pairs of token ids that make one entry.

    Args:
        keys: ``left * num_ids + right`` of each pair, sorted; phrase i has the id ``num_ids + i``.
        num_ids: How many ids the tokenizer has.
    """

    keys: NDArray[np.int64]
    num_ids: int

    def firsts(self, texts: TokenizedTexts) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Find the phrases of texts.

        Returns:
            Whether a phrase begins at each token, and the place of each token's pair among the keys.
        """
        keys = pair_keys(texts)
        places = np.minimum(np.searchsorted(self.keys, keys), max(len(self.keys) - 1, 0))
        known = self.keys[places] == keys if len(self.keys) else np.zeros(len(keys), dtype=bool)
        return first_of_pairs(known), places

    def joined(self, texts: TokenizedTexts) -> TokenizedTexts:
        """Give the texts with one id for each phrase, in place of those of its two tokens."""
        firsts, places = self.firsts(texts)
        ids = np.where(firsts, self.num_ids + places, texts.ids)
        kept = np.ones(len(ids), dtype=bool)
        kept[1:] = ~firsts[:-1]
        return self._of(ids, kept, texts)

    def alone(self, texts: TokenizedTexts) -> TokenizedTexts:
        """Give the phrases of the texts, without the other tokens."""
        firsts, places = self.firsts(texts)
        return self._of(self.num_ids + places, firsts, texts)

    def _of(self, ids: NDArray[Any], kept: NDArray[np.bool_], texts: TokenizedTexts) -> TokenizedTexts:
        ends = np.concatenate([[0], np.cumsum(kept)])
        return TokenizedTexts(
            ids=ids[kept].astype(np.int32), starts=ends[texts.starts], num_ids=self.num_ids + len(self.keys)
        )


def pair_keys(texts: TokenizedTexts) -> NDArray[np.int64]:
    """Give the key of each token with the next one of its text; -1 where a text ends."""
    keys = np.full(len(texts.ids), -1, dtype=np.int64)
    keys[:-1] = texts.ids[:-1].astype(np.int64) * texts.num_ids + texts.ids[1:]
    last = texts.starts[1:][np.diff(texts.starts) > 0] - 1
    keys[last] = -1
    return keys


def find_phrases(texts: TokenizedTexts, *, threshold: float, least: int) -> Phrases:
    """Find the pairs of neighbours whose pointwise mutual information is high.

    Args:
        texts: The corpus.
        threshold: Least mutual information, in nats: the logarithm of how much oftener two tokens stand side by side
            than their counts alone would have it.
        least: Least occurrences of a pair.
    """
    counts = texts.counts().astype(np.float64)
    keys, together = np.unique(pair_keys(texts), return_counts=True)
    enough = (keys >= 0) & (together >= least)
    keys, together = keys[enough], together[enough]
    left, right = np.divmod(keys, texts.num_ids)
    information = np.log(together * counts.sum() / (counts[left] * counts[right]))
    return Phrases(keys=keys[information >= threshold], num_ids=texts.num_ids)
