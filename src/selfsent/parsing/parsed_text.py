"""A sentence with its parse: where its words begin, and how deep the tree splits between each and the next."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from selfsent.errors import UserError
from selfsent.parsing.brackets import ParsedTree
from selfsent.trees.builders import FIXED_BUILDERS, random_tree
from selfsent.trees.split_depths import depths_of_spans, depths_over_pieces
from selfsent.trees.tree import IntArray

# A treebank's quotation marks against a text's.
_QUOTES = {"``": ('"', "\u201c", "''"), "''": ('"', "\u201d", "``"), '"': ("``", "''", "\u201c", "\u201d")}
_SHOWN_CHARACTERS = 20


@dataclass(frozen=True, kw_only=True)
class ParsedText:
    """A text and the tree over its words.

    Args:
        text: The sentence.
        word_starts: Where in the text each word begins, in characters.
        split_depths: Depth of the tree between each word and the next (`selfsent.trees.split_depths`).
    """

    text: str
    word_starts: IntArray
    split_depths: IntArray

    def depths_over(self, pieces: Sequence[tuple[int, int]]) -> IntArray:
        """Carry the tree over to sub-word tokens: a piece belongs to the word in which it begins.

        The pieces of a word become a constituent of their own; a word without a piece drops out.

        Args:
            pieces: Where each piece begins and ends in the text, in characters; white space before it is ignored.

        Returns:
            Split depths of the pieces, one a gap.
        """
        begins = [end - len(self.text[start:end].lstrip()) for start, end in pieces]
        word_of_piece = np.searchsorted(self.word_starts, np.array(begins, dtype=np.int64), side="right") - 1
        return depths_over_pieces(self.split_depths, np.maximum(word_of_piece, 0))


def place_words(words: Sequence[str], text: str) -> IntArray:
    """Find where the words of a parse begin in the sentence they are the words of.

    White space does not matter, nor whether quotation marks are a treebank's (`` and '').

    Args:
        words: The words in order.
        text: The sentence.

    Returns:
        One start a word, in characters.

    Raises:
        UserError: The words are not those of the text; the first that differs is named.
    """
    starts: list[int] = []
    position = 0
    for number, word in enumerate(words, start=1):
        position = _past_space(text, position)
        form = next((form for form in (word, *_QUOTES.get(word, ())) if text.startswith(form, position)), None)
        if form is None:
            shown = text[position : position + _SHOWN_CHARACTERS] or "the end"
            raise UserError(f"word {number} of the parse is {word!r} where the sentence goes on with {shown!r}")
        starts.append(position)
        position += len(form)
    if _past_space(text, position) < len(text):
        shown = text[position : position + _SHOWN_CHARACTERS].strip()
        raise UserError(f"the parse ends after {len(words)} words where the sentence goes on with {shown!r}")
    return np.array(starts, dtype=np.int64)


def _past_space(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def same_places(places: IntArray, text: str, respaced: str) -> IntArray:
    """Find the places of characters of a text in a copy with other white space.

    Args:
        places: Places in ``text``, none of them white space.
        text: A text.
        respaced: The same text but for white space.
    """
    before, after = (np.flatnonzero([not character.isspace() for character in written]) for written in (text, respaced))
    return after[np.searchsorted(before, places)]


def joined(words: Iterable[str], split_depths: IntArray) -> ParsedText:
    """Make the text of a parse that has none: its words with spaces between them."""
    lengths = np.array([len(word) + 1 for word in words], dtype=np.int64)
    return ParsedText(text=" ".join(words), word_starts=np.cumsum(lengths) - lengths, split_depths=split_depths)


def of_constituents(tree: ParsedTree) -> ParsedText:
    """Turn a bracketed tree into a text with its parse; the text is its words with spaces between them."""
    return joined(tree.words, depths_of_spans(len(tree.words), tree.spans))


def uninformed(text: str, structure: str, seed: int = 0) -> ParsedText:
    """Give a text without a parse a tree that does not read it, over the words that white space separates.

    Args:
        text: The sentence.
        structure: ``balanced``, ``right``, ``left`` or ``random``.
        seed: Draws a random tree.
    """
    words = text.split()
    generator: Any = np.random.default_rng(seed)
    tree = random_tree(len(words), generator) if structure == "random" else FIXED_BUILDERS[structure](len(words))
    return ParsedText(
        text=text, word_starts=place_words(words, text), split_depths=depths_of_spans(len(words), tree.spans)
    )
