"""Dependency trees: a CoNLL-U reader, projectivity, and the binary trees that heads and dependents make.

A head takes its right dependents first, the nearest first, then its left ones: ``(the cat) (sat (on mats))``, the verb
with its object inside, the subject outside. Nothing recurses.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selfsent.data.cells import shown
from selfsent.data.compression import byte_lines
from selfsent.errors import UserError
from selfsent.parsing.bad_tree import BadTree
from selfsent.trees.split_depths import without_tokens
from selfsent.trees.tree import IntArray

ROOT = -1

_NUM_COLUMNS = 10
_TEXT_COMMENT = "# text = "
_MOST_DIGITS = 9


@dataclass(frozen=True, kw_only=True)
class DependencyTree:
    """One sentence with the head of each of its words.

    Args:
        words: The words as they are written. A surface token of several syntactic words ("du" of "de" and "le") stands
            at its first, and its further ones are empty.
        heads: Index of the head of each word, from 0; -1 for a root. Several roots are allowed.
        text: The sentence, where the file states it.
        line: Line of the file, from 1, on which the sentence begins.
    """

    words: tuple[str, ...]
    heads: tuple[int, ...]
    text: str | None = None
    line: int = 1

    def split_depths(self) -> IntArray:
        """Give the split depths of the tree over the words that are written, empty ones dropped.

        Raises:
            UserError: The tree is not projective; the arc is named.
        """
        crossed = crossed_arc(self.heads)
        if crossed is not None:
            head, dependent = crossed
            raise UserError(
                f"not projective: between {self.words[dependent] or '_'!r} and its head {self.words[head] or '_'!r}"
                " is a word that depends on neither of them nor on a word between"
            )
        return without_tokens(depths_of_heads(self.heads), [bool(word) for word in self.words])


def read_conllu(path: str | Path) -> Iterator[DependencyTree | BadTree]:
    """Read a file in the CoNLL-U format sentence by sentence.

    Args:
        path: The file, plain or compressed. Empty nodes (``8.1``) and comments outside of sentences are left out.

    Yields:
        The sentences in order, and what is wrong with each malformed one in its place; `good_trees` raises it.

    Raises:
        UserError: The file is missing, unreadable or holds no sentence.
    """
    num_sentences = 0
    for lines in _blocks(path):
        num_sentences += 1
        try:
            yield _sentence([(number, _decoded(raw, path, number)) for number, raw in lines], path)
        except BadTree as bad:
            yield bad
    if not num_sentences:
        raise UserError(f"{path} holds no sentence; CoNLL-U has a line of {_NUM_COLUMNS} tab-separated cells a word")


def _blocks(path: str | Path) -> Iterator[list[tuple[int, bytes]]]:
    """The lines of each sentence, with their numbers; comments that belong to none are left out."""
    block: list[tuple[int, bytes]] = []
    for number, line in itertools.chain(byte_lines(Path(path)), [(0, b"")]):
        if line.strip():
            block.append((number, line))
        elif any(not raw.startswith(b"#") or raw.startswith(_TEXT_COMMENT.encode()) for _, raw in block):
            yield block
            block = []
        else:
            block = []


def _decoded(raw: bytes, path: str | Path, number: int) -> str:
    try:
        return raw.decode("utf8")
    except UnicodeDecodeError as error:
        raise BadTree(f"{path}, line {number}", "not valid UTF-8; convert the file to UTF-8") from error


def _sentence(lines: Sequence[tuple[int, str]], path: str | Path) -> DependencyTree:
    """Read the lines of one sentence: comments, words, and ranges of words that share one surface token."""
    words: list[str] = []
    heads: list[int] = []
    ranges: list[tuple[int, int, str]] = []
    text = None
    for number, line in lines:
        place = f"{path}, line {number}"
        if line.startswith("#"):
            text = line.removeprefix(_TEXT_COMMENT).strip() if line.startswith(_TEXT_COMMENT) else text
            continue
        cells = line.split("\t")
        if len(cells) != _NUM_COLUMNS:
            raise BadTree(place, f"{len(cells)} cells, and CoNLL-U has {_NUM_COLUMNS}, separated by tabs")
        identifier, form, head = cells[0], cells[1], cells[6]
        if "-" in identifier:
            ranges.append((len(words), _number(identifier.partition("-")[2], place, "last word of a range"), form))
        elif "." not in identifier:
            if _number(identifier, place, "number of a word") != len(words) + 1:
                raise BadTree(place, f"word {identifier} stands where word {len(words) + 1} is due; count from 1")
            words.append(form)
            heads.append(_number(head, place, "head") - 1)
    first_line = lines[0][0]
    _check_heads(heads, f"{path}, line {first_line}")
    for start, end, surface in ranges:
        words[start:end] = [surface, *[""] * (min(end, len(words)) - start - 1)]
    return DependencyTree(words=tuple(words), heads=tuple(heads), text=text, line=first_line)


def _number(cell: str, place: str, what: str) -> int:
    if not (cell.isascii() and cell.isdecimal() and len(cell) <= _MOST_DIGITS):
        raise BadTree(place, f"{what} must be a whole number, got {shown(cell)!r}")
    return int(cell)


def _check_heads(heads: Sequence[int], place: str) -> None:
    """Refuse heads outside the sentence, and words that are their own ancestors."""
    if not heads:
        raise BadTree(place, f"a sentence without a word; a word is a line of {_NUM_COLUMNS} tab-separated cells")
    outside = [head + 1 for head in heads if head >= len(heads)]
    if outside:
        raise BadTree(place, f"word {outside[0]} is a head, but the sentence has {len(heads)} words")
    if len(_outward(heads)) < len(heads):
        raise BadTree(place, "the heads form a circle; one word must have head 0")


def _dependents(heads: Sequence[int]) -> list[list[int]]:
    """The dependents of each word in reading order; those of the root stand last."""
    dependents: list[list[int]] = [[] for _ in range(len(heads) + 1)]
    for word, head in enumerate(heads):
        dependents[head].append(word)
    return dependents


def _outward(heads: Sequence[int]) -> list[int]:
    """The words that hang from a root, heads before their dependents."""
    dependents = _dependents(heads)
    order = list(dependents[ROOT])
    for word in order:
        order += dependents[word]
    return order


def crossed_arc(heads: Sequence[int]) -> tuple[int, int] | None:
    """Find an arc that is not projective: a word between its ends hangs from elsewhere.

    Args:
        heads: Index of each word's head, -1 for a root; without circles.

    Returns:
        Head and dependent of such an arc, the first dependent in reading order; ``None`` for a projective tree.
    """
    moved = zip(heads, projective(heads), strict=True)
    return next(((head, word) for word, (head, lifted) in enumerate(moved) if lifted != head), None)


def projective(heads: Sequence[int]) -> tuple[int, ...]:
    """Make a tree projective: a dependent that stands across a gap hangs from its head's head instead, or higher.

    One pass from the leaves up, near-linear in the words.
    Source: Nivre & Nilsson, ACL 2005 (pseudo-projective parsing), without the labels that would undo it.

    Args:
        heads: Index of each word's head, -1 for a root; without circles.

    Returns:
        The heads, unchanged where the tree is projective.
    """
    lifted = list(heads)
    dependents = _dependents(heads)
    first, last = list(range(len(heads))), list(range(len(heads)))
    for word in reversed(_outward(heads)):
        parts = sorted([word, *dependents[word]], key=lambda part: first[part])
        low = high = parts.index(word)
        while low and last[parts[low - 1]] + 1 == first[parts[low]]:
            low -= 1
        while high + 1 < len(parts) and last[parts[high]] + 1 == first[parts[high + 1]]:
            high += 1
        for part in (*parts[:low], *parts[high + 1 :]):
            lifted[part] = heads[word]
            dependents[heads[word]].append(part)
        first[word], last[word] = first[parts[low]], last[parts[high]]
    return tuple(lifted)


def depths_of_heads(heads: Sequence[int]) -> IntArray:
    """Turn a projective dependency tree into the split depths of a tree over its words.

    Several roots become one constituent of as many children.

    Args:
        heads: Index of each word's head, -1 for a root.

    Returns:
        One depth a gap, ``(num_words - 1,)``.
    """
    dependents = _dependents(heads)
    first, last = list(range(len(heads))), list(range(len(heads)))
    for word in reversed(_outward(heads)):
        if heads[word] != ROOT:
            head = heads[word]
            first[head], last[head] = min(first[head], first[word]), max(last[head], last[word])
    depths = np.zeros(max(len(heads) - 1, 0), dtype=np.int64)
    depth_of = [0] * len(heads)
    roots = dependents[ROOT]
    if len(roots) > 1:
        for root in roots:
            depth_of[root] = 1
    for word in _outward(heads):
        depth = depth_of[word]
        left = [dependent for dependent in dependents[word] if dependent < word]
        right = [dependent for dependent in dependents[word] if dependent > word]
        for dependent in [*left, *reversed(right)]:  # outermost first
            depths[last[dependent] if dependent < word else first[dependent] - 1] = depth
            depth += 1
            depth_of[dependent] = depth
    return depths
