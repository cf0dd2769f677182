"""Bracketed trees in the Penn Treebank's form: a streaming reader, and constituents turned into binary merges.

``(S (NP (DT the) (NN cat)) (VP (VBD sat)))``: a constituent is a label and its children, a word stands alone behind its
tag. The reader keeps no recursion, so depth is bounded by memory only, and it reads line by line, so a treebank larger
than memory is read as well.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from selfsent.data.compression import byte_lines
from selfsent.errors import UserError
from selfsent.parsing.bad_tree import BadTree, good_trees
from selfsent.trees.tree import Tree

Span = tuple[int, int]

EMPTY_ELEMENT = "-NONE-"
_ESCAPES = {"-LRB-": "(", "-RRB-": ")", "-LCB-": "{", "-RCB-": "}", "-LSB-": "[", "-RSB-": "]", r"\/": "/", r"\*": "*"}
_ESCAPED = re.compile("|".join(map(re.escape, _ESCAPES)))
# Only ASCII white space separates: a no-break space belongs to its word ("10 000" in French treebanks).
_SYMBOL = re.compile(r"\(\s*([^()\s]+)\s+([^()\s]+)\s*\)|(\([^()\s]*|\)|[^()\s]+)", re.ASCII)
_EXAMPLE = "(S (NP (DT the) (NN cat)) (VP (VBD sat)))"


@dataclass(frozen=True, kw_only=True)
class ParsedTree:
    """One parsed sentence: its words and its constituents as spans.

    Args:
        words: The words in order, escapes undone (``-LRB-`` is ``(``), empty elements (``-NONE-``) dropped.
        tags: The tag of each word.
        spans: Half-open word spans of all constituents of two words or more, the whole sentence included, each once
            (a unary chain is one span), inner before outer and left before right.
        line: Line of the file or text, from 1, on which the tree opens.
    """

    words: tuple[str, ...]
    tags: tuple[str, ...]
    spans: tuple[Span, ...]
    line: int = 1

    def kept(self, word_mask: Sequence[bool]) -> "ParsedTree":
        """Drop words, and the constituents that lose all but one of theirs: punctuation, in the usual parsing protocol.

        Args:
            word_mask: True for each word to keep.

        Returns:
            The tree over the kept words; equal spans are merged into one.

        Raises:
            UserError: The mask is not as long as the sentence.
        """
        if len(word_mask) != len(self.words):
            raise UserError(f"a mask of {len(word_mask)} entries for {len(self.words)} words; give one entry a word")
        before = np.concatenate([[0], np.cumsum(np.asarray(word_mask, dtype=bool))]).tolist()
        moved = dict.fromkeys((before[start], before[end]) for start, end in self.spans)
        return ParsedTree(
            words=tuple(word for word, keep in zip(self.words, word_mask, strict=True) if keep),
            tags=tuple(tag for tag, keep in zip(self.tags, word_mask, strict=True) if keep),
            spans=tuple((start, end) for start, end in moved if end - start > 1),
            line=self.line,
        )

    def binarise(self, direction: Literal["left", "right"] = "right") -> Tree:
        """Turn the constituents into binary merges.

        Args:
            direction: How a constituent of more than two children is split: ``left`` gives ``((a b) c)``, ``right``
                gives ``(a (b c))``.

        Returns:
            The tree in merge order: leaves are 0..n-1, merge ``i`` makes node ``n + i``, the last is the root.
        """
        return _merges(len(self.words), self.spans, direction)


def parse_bracketed(text: str) -> list[ParsedTree]:
    """Read all bracketed trees of a string; they may span lines, and several may share one.

    Args:
        text: Trees in the Penn Treebank's form. An outermost pair of brackets may lack its label.

    Returns:
        The trees in order.

    Raises:
        UserError: A bracket is not balanced, or a constituent is neither a tag with its word nor a label with
            children; the line is named.
    """
    return list(good_trees(_read(((line, None) for line in text.split("\n")), "the text")))


def read_bracketed_file(path: str | Path) -> Iterator[ParsedTree]:
    """Read a treebank file tree by tree, without holding it in memory.

    Args:
        path: A file of bracketed trees in UTF-8, plain or compressed (``.gz``, ``.xz``, ``.zst``).

    Yields:
        The trees in order.

    Raises:
        UserError: The file is missing, unreadable or holds no tree, or a tree is malformed (file and line are named).
    """
    return good_trees(read_bracketed(path))


def read_bracketed(path: str | Path) -> Iterator[ParsedTree | BadTree]:
    """Read a treebank file as ``read_bracketed_file`` does, with each malformed tree in its place.

    Text outside of all brackets, such as the heading of a file, is a bad tree that stands for no sentence, one a line.

    Raises:
        UserError: The file is missing, unreadable or holds no tree.
    """
    num_trees = 0
    for tree in _read(_lines(Path(path)), str(path)):
        num_trees += 1
        yield tree
    if not num_trees:
        raise UserError(f"{path} holds no tree; a tree looks like {_EXAMPLE}")


def escape(word: str) -> str:
    """Write a word so that a bracketed tree can hold it: brackets as ``-LRB-``, white space as ``_``."""
    bare = re.sub(r"\s", "_", word, flags=re.ASCII) or "_"
    return bare.replace("(", "-LRB-").replace(")", "-RRB-")


@dataclass
class _Open:
    """A constituent whose closing bracket has not been read."""

    line: int
    start: int
    atoms: list[str]
    num_children: int = 0


@dataclass(frozen=True)
class _Problem:
    """What is wrong with the tree being read, and on which line."""

    line: int
    reason: str
    is_outside: bool = False


class _Reader:
    """The state between two lines: the open constituents, and the words and spans of the tree being read."""

    def __init__(self) -> None:
        self.stack: list[_Open] = []
        self._number = 0
        self._clear()

    def _clear(self) -> None:
        self._words: list[str] = []
        self._tags: list[str] = []
        self._spans: list[Span] = []
        self.problem: _Problem | None = None

    def read(self, line: str, number: int) -> Iterator[ParsedTree | _Problem]:
        """Take one line and yield the trees it completes, and what is wrong with those that are malformed."""
        self._number = number
        symbols = _SYMBOL.findall(line)
        if not self.stack and symbols and symbols[0][2] not in ("", ")") and not symbols[0][2].startswith("("):
            yield _Problem(number, f"{symbols[0][2]!r} stands outside of all brackets", is_outside=True)
            return
        for tag, word, symbol in symbols:
            if symbol.startswith("("):
                self.stack.append(_Open(number, len(self._words), [symbol[1:]] if len(symbol) > 1 else []))
            elif symbol and not self.stack:
                outside = (
                    "a closing bracket too many" if symbol == ")" else f"{symbol!r} stands outside of all brackets"
                )
                yield _Problem(number, outside, is_outside=True)
            elif symbol and symbol != ")":
                self._add_atom(symbol)
            else:
                line_opened = number if tag else self._close()
                if tag:  # a whole "(tag word)", the usual case
                    self._add_word(tag, word)
                if self.stack:
                    self.stack[-1].num_children += 1
                else:
                    yield self._finished(line_opened)

    def _fail(self, reason: str) -> None:
        self.problem = self.problem or _Problem(self._number, reason)

    def _add_atom(self, atom: str) -> None:
        constituent = self.stack[-1]
        constituent.atoms.append(atom)
        if constituent.num_children:
            self._fail(f"the word {atom!r} stands beside a constituent; give it a tag of its own")

    def _add_word(self, tag: str, word: str) -> None:
        if tag != EMPTY_ELEMENT:
            self._tags.append(tag)
            self._words.append(word)

    def _close(self) -> int:
        """End the innermost constituent; return the line it opened on."""
        constituent = self.stack.pop()
        atoms, num_children = constituent.atoms, constituent.num_children
        span = (constituent.start, len(self._words))
        if num_children == 0 and len(atoms) == 2:  # noqa: PLR2004 a tag and its word, on different lines
            self._add_word(*atoms)
        elif num_children == 0:
            self._fail(f"({' '.join(atoms)}) is not a tag and one word")
        elif len(atoms) > 1:
            self._fail(f"the word {atoms[1]!r} stands beside a constituent; give it a tag of its own")
        elif not atoms and (self.stack or num_children > 1):
            self._fail("a constituent without a label")
        elif span[1] - span[0] > 1 and self._spans[-1:] != [span]:  # an only child with this span came just before
            self._spans.append(span)
        return constituent.line

    def _finished(self, line: int) -> ParsedTree | _Problem:
        if self.problem is not None:
            problem = self.problem
            self._clear()
            return problem
        words = tuple(_ESCAPED.sub(lambda match: _ESCAPES[match[0]], word) for word in self._words)
        tree = ParsedTree(words=words, tags=tuple(self._tags), spans=tuple(self._spans), line=line)
        self._clear()
        return tree


def _read(lines: Iterable[tuple[str, str | None]], name: str) -> Iterator[ParsedTree | BadTree]:
    """Yield the trees of a stream of lines, each with its fault if it has one; ``name`` stands for it in errors."""
    reader = _Reader()
    for number, (line, fault) in enumerate(lines, start=1):
        for found in reader.read(line, number):
            if isinstance(found, _Problem):
                yield _bad(found, name)
            else:
                yield found if fault is None else BadTree(f"{name}, line {number}", fault)
        if fault is not None and reader.stack:
            reader.problem = reader.problem or _Problem(number, fault)
    if reader.problem is not None:
        yield _bad(reader.problem, name)
    elif reader.stack:
        yield BadTree(
            f"{name}, line {reader.stack[0].line}",
            f"the tree that opens here is never closed ({len(reader.stack)} brackets are open at the end), so it takes"
            " all lines behind it; balance its brackets",
        )


def _bad(problem: _Problem, name: str) -> BadTree:
    reason = f"{problem.reason}; a tree looks like {_EXAMPLE}"
    return BadTree(f"{name}, line {problem.line}", reason, is_sentence=not problem.is_outside)


def _lines(path: Path) -> Iterator[tuple[str, str | None]]:
    """Each line, and what is wrong with it."""
    for _, line in byte_lines(path):
        try:
            yield line.decode("utf8"), None
        except UnicodeDecodeError:
            yield line.decode("utf8", "replace"), "not UTF-8; convert the file: iconv -t UTF-8 IN > OUT"


def _merges(num_words: int, spans: Iterable[Span], direction: Literal["left", "right"]) -> Tree:
    """Sweep the spans inner before outer, keeping the nodes that still lack a parent on a stack with their starts."""
    sides: tuple[list[int], list[int]] = ([], [])
    orphans: list[Span] = []  # (start, node)
    num_leaves = 0
    for start, end in sorted({*spans, (0, num_words)}, key=lambda span: (span[1], -span[0])):
        orphans += [(leaf, leaf) for leaf in range(num_leaves, end)]
        num_leaves = end
        first = len(orphans)
        while first and orphans[first - 1][0] >= start:
            first -= 1
        children = [node for _, node in orphans[first:]]
        if children:
            orphans[first:] = [(start, _join(children, direction, num_words, sides))]
    left, right = (np.array(side, dtype=np.int64) for side in sides)
    return Tree(num_words, left, right)


def _join(children: list[int], direction: str, num_words: int, sides: tuple[list[int], list[int]]) -> int:
    """Merge neighbours into one node, appending to the left and right children; return the node's id."""
    ordered = children if direction == "left" else children[::-1]
    node = ordered[0]
    for child in ordered[1:]:
        pair = (node, child) if direction == "left" else (child, node)
        for side, member in zip(sides, pair, strict=True):
            side.append(member)
        node = num_words + len(sides[0]) - 1
    return node
