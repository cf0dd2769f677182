"""Two structures of one sentence, side by side."""

import itertools
import unicodedata
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from selfsent.drawing.one_tree import bracketed, indented, svg_side_by_side
from selfsent.drawing.sentence import open_tree_model, sentence_tree, tree_over_words
from selfsent.errors import UserError, did_you_mean
from selfsent.parsing.brackets import Span, parse_bracketed
from selfsent.parsing.parsed_text import place_words
from selfsent.trees.builders import FIXED_BUILDERS, random_tree
from selfsent.trees.tree import Tree

_GUTTER = 4
_STRUCTURES = (*FIXED_BUILDERS, "random")


@dataclass(frozen=True)
class TreePair:
    """Two trees over the same leaves.

    Args:
        leaves: The leaves' texts: sub-word pieces, or words where the two trees have different pieces.
        names: What each tree is.
        trees: The trees.
    """

    leaves: tuple[str, ...]
    names: tuple[str, str]
    trees: tuple[Tree, Tree]

    @property
    def shared(self) -> frozenset[Span]:
        """The constituents of both, without single leaves and the whole."""
        first, second = (frozenset(tree.spans) for tree in self.trees)
        return (first & second) - {(0, len(self.leaves))}

    def agreement(self) -> str:
        """Say how many constituents the two share."""
        num_inner = max(len(self.leaves) - 2, 0)
        if not num_inner:
            return "no constituents inside the sentence to compare"
        num_shared = len(self.shared)
        return f"{num_shared} of {num_inner} inner constituents are in both trees (F1 {num_shared / num_inner:.2f})"

    def drawn(self, form: Literal["text", "bracketed", "svg"]) -> str:
        """Write both as indented text beside each other, as two bracketed strings, or as a picture."""
        if form == "svg":
            return svg_side_by_side(self.leaves, dict(zip(self._titles(), self.trees, strict=True)), marked=self.shared)
        if form == "bracketed":
            return "\n".join(bracketed(self.leaves, tree.left, tree.right) for tree in self.trees)
        blocks = [
            [name, "", *indented(self.leaves, tree.left, tree.right, marked=self.shared).split("\n")]
            for name, tree in zip(self._titles(), self.trees, strict=True)
        ]
        width = max(map(_display_width, blocks[0])) + _GUTTER
        rows = itertools.zip_longest(*blocks, fillvalue="")
        lines = [(one + " " * (width - _display_width(one)) + other).rstrip() for one, other in rows]
        return "\n".join([*lines, "", f"* {self.agreement()}"])

    def _titles(self) -> tuple[str, str]:
        first, second = self.names
        return (first, second) if first != second else (f"{first} (1)", f"{second} (2)")


def tree_pair(model: str | Path, sentence: str, versus: str) -> TreePair:
    """Put the tree a model sees in a sentence beside another.

    Args:
        model: The path of a tree model.
        sentence: Any text with at least one token.
        versus: ``balanced``, ``right``, ``left`` or ``random``; a bracketed tree over the words of the sentence; or the
            path of another tree model.

    Raises:
        UserError: A model builds no trees, the sentence has no token, or the bracketed tree is not of this sentence.
    """
    opened = open_tree_model(model)
    own = sentence_tree(opened, sentence)
    name = Path(model).name or str(model)
    if versus in _STRUCTURES:
        tree = _uninformed(versus, len(own.pieces), sentence)
        return TreePair(own.pieces, (name, versus), (own.tree, tree))
    if versus.lstrip().startswith("("):
        words, tree = _given(versus, sentence)
        return TreePair(words, (name, "given"), (tree_over_words(opened, words), tree))
    other_model = _other_model(versus)
    other = sentence_tree(other_model, sentence)
    names = (name, Path(versus).name or versus)
    if other.pieces == own.pieces:
        return TreePair(own.pieces, names, (own.tree, other.tree))
    words = tuple(sentence.split())
    return TreePair(words, names, (tree_over_words(opened, words), tree_over_words(other_model, words)))


def _uninformed(structure: str, num_leaves: int, sentence: str) -> Tree:
    if structure == "random":
        return random_tree(num_leaves, np.random.default_rng(zlib.crc32(sentence.encode("utf8"))))
    return FIXED_BUILDERS[structure](num_leaves)


def _other_model(versus: str) -> Any:
    try:
        return open_tree_model(versus)
    except UserError as error:
        near = did_you_mean(versus, _STRUCTURES)
        raise (UserError(f"--versus {versus!r} is neither a structure nor a model{near}") if near else error) from error


def _given(brackets: str, sentence: str) -> tuple[tuple[str, ...], Tree]:
    trees = parse_bracketed(brackets)
    if len(trees) != 1:
        raise UserError(f"--versus must hold one bracketed tree, got {len(trees)}")
    place_words(trees[0].words, sentence)
    return trees[0].words, trees[0].binarise("right")


def _display_width(text: str) -> int:
    """Columns of a terminal that a text takes."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)
