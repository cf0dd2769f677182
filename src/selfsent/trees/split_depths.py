"""Trees as one number a gap: how deep below the root each token parts from the next.

The split depth of a gap is the depth of the lowest constituent that holds the tokens on both its sides; the root has
depth 0. The numbers say everything about a tree of constituents, of two children or of many (whose gaps are equally
deep), they are easily stored, cut and aligned, and a batch of them is one matrix.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from selfsent.trees.arrays import IntArray, TreeBatch
from selfsent.trees.depth_merges import merges_of_depths

Binarisation = Literal["right", "left"]
"""How a constituent of several children is merged: ``right`` gives ``(a (b c))``, ``left`` gives ``((a b) c)``."""


def depths_of_spans(num_tokens: int, spans: Iterable[tuple[int, int]]) -> IntArray:
    """Read split depths off constituents.

    Args:
        num_tokens: Tokens of the sentence.
        spans: Half-open token spans, nested; each counts once, and the whole sentence is one whether named or not.

    Returns:
        One depth a gap, ``(num_tokens - 1,)``.
    """
    if num_tokens < 2:  # noqa: PLR2004 a single token has no gap
        return np.zeros(0, dtype=np.int64)
    inner = {span for span in spans if span[1] - span[0] > 1} - {(0, num_tokens)}
    change = np.zeros(num_tokens, dtype=np.int64)
    for start, end in inner:
        change[start] += 1
        change[end - 1] -= 1
    return np.cumsum(change[:-1])


def trees_of_depths(depths: IntArray, num_tokens: IntArray, binarisation: Binarisation) -> TreeBatch:
    """Build the binary trees of a batch.

    Args:
        depths: Split depths, all sentences one after another, ``num_tokens - 1`` each.
        num_tokens: Leaves of each sentence, ``(B,)``; 0 is allowed.
        binarisation: How several children are merged.
    """
    left = np.empty(len(depths), dtype=np.int64)
    right = np.empty_like(left)
    merges_of_depths(np.ascontiguousarray(depths, dtype=np.int64), num_tokens, binarisation == "left", left, right)
    return TreeBatch(num_tokens, left, right)


def without_tokens(depths: IntArray, keep_mask: Sequence[bool] | NDArray[np.bool_]) -> IntArray:
    """Drop tokens: between two that are kept, the shallowest of the gaps that fall together stays.

    Args:
        depths: Split depths, ``(num_tokens - 1,)``.
        keep_mask: True for each token to keep.
    """
    kept = np.flatnonzero(keep_mask)
    return _shallowest(depths, kept[:-1], kept[1:])


def depths_over_pieces(depths: IntArray, word_of_piece: IntArray) -> IntArray:
    """Carry a tree over words to their pieces: those of a word become a constituent of their own.

    Args:
        depths: Split depths of the words.
        word_of_piece: Index of the word that each piece belongs to, ascending. Words may lack pieces; they drop out.

    Returns:
        Split depths of the pieces, ``(num_pieces - 1,)``; the gaps inside a word are one deeper than all others.
    """
    before, after = word_of_piece[:-1], word_of_piece[1:]
    inside = np.int64(depths.max() + 1 if len(depths) else 0)
    of_pieces = np.full(len(before), inside)
    between = before < after
    of_pieces[between] = _shallowest(depths, before[between], after[between])
    return of_pieces


def _shallowest(depths: IntArray, first: IntArray, last: IntArray) -> IntArray:
    """The least depth of the gaps from each ``first`` up to, without, ``last``."""
    shallowest = depths[first] if len(first) else np.zeros(0, dtype=np.int64)
    for place in np.flatnonzero(last - first > 1):
        shallowest[place] = depths[first[place] : last[place]].min()
    return shallowest
