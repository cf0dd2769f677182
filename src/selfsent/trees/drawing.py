"""One binary tree as a bracketed string, as an indented text, or as an SVG picture.

All three take the same form: the leaves' texts and, for every merge, the ids of its two children (leaves are 0..n-1,
merge ``i`` makes node ``n + i``, the last merge is the root). None recurses: a sentence of thousands of words is drawn
too.
"""

import html
import itertools
import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from selfsent.errors import UserError
from selfsent.trees.arrays import IntArray, Tree
from selfsent.trees.brackets import escape

Ids = Sequence[int] | IntArray

_CONSTITUENT_LABEL = "X"
_SHOWN_WORDS = 12  # a longer span is shortened in the middle
_FONT_SIZE = 15.0
_WORD_GAP = 14.0
_MARGIN = 16.0
_TREE_HEIGHT = 900.0  # levels move together in deeper trees
_LEVEL_HEIGHTS = (3.0, 26.0)
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WIDE_LETTERS = frozenset("mwMW@%—…")


def bracketed(words: Sequence[str], left: Ids, right: Ids) -> str:
    """Write the tree on one line in the Penn Treebank's form, every node labelled ``X``.

    ``selfsent.trees.brackets.parse_bracketed`` and other treebank tools read it back.

    Args:
        words: The leaves' texts. Brackets are written as ``-LRB-`` and ``-RRB-``, white space as ``_``.
        left: Left child of each merge.
        right: Right child of each merge.

    Returns:
        For example ``(X (X (X the) (X cat)) (X sat))``.

    Raises:
        UserError: The merges do not form one tree over the words.
    """
    tree = _checked(words, left, right)
    parts: list[str] = []
    stack: list[int | str] = [_root(tree)]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            parts.append(node)
        elif node < tree.num_tokens:
            parts.append(f"({_CONSTITUENT_LABEL} {escape(words[node])})")
        else:
            left_child, right_child = _children(tree, node)
            parts.append(f"({_CONSTITUENT_LABEL} ")
            stack += [")", right_child, " ", left_child]
    return "".join(parts)


def indented(words: Sequence[str], left: Ids, right: Ids) -> str:
    """Write the tree as lines of text: every node on a line of its own, below and right of its parent.

    Args:
        words: The leaves' texts.
        left: Left child of each merge.
        right: Right child of each merge.

    Returns:
        Lines without a final line break; a node shows the words it spans, the middle of a long span left out.

    Raises:
        UserError: The merges do not form one tree over the words.
    """
    tree = _checked(words, left, right)
    spans = _all_spans(tree)
    lines: list[str] = []
    stack = [(_root(tree), "", "")]
    while stack:
        node, before_node, before_children = stack.pop()
        lines.append(before_node + _excerpt(words, *spans[node]))
        if node >= tree.num_tokens:
            left_child, right_child = _children(tree, node)
            stack.append((right_child, before_children + "└── ", before_children + "    "))
            stack.append((left_child, before_children + "├── ", before_children + "│   "))
    return "\n".join(lines)


def svg(words: Sequence[str], left: Ids, right: Ids, *, title: str | None = None) -> str:
    """Draw the tree as a self-contained SVG picture: words on a baseline, a bracket for every merge above its children.

    A bracket stands above the higher of its children, so no two lines cross. Words in a right-to-left script run from
    right to left.

    Args:
        words: The leaves' texts.
        left: Left child of each merge.
        right: Right child of each merge.
        title: A line above the tree.

    Returns:
        The SVG document.

    Raises:
        UserError: The merges do not form one tree over the words.
    """
    tree = _checked(words, left, right)
    top = _MARGIN + (2 * _FONT_SIZE if title else 0.0)
    level_height = min(max(_TREE_HEIGHT / max(tree.depth, 1), _LEVEL_HEIGHTS[0]), _LEVEL_HEIGHTS[1])
    baseline = top + level_height * tree.depth + 1.6 * _FONT_SIZE
    centres, words_width = _word_centres(words)
    width = max(words_width, _text_width(title or "") + 2 * _MARGIN)
    centres = [centre + (width - words_width) / 2 for centre in centres]
    heights = [baseline - 1.3 * _FONT_SIZE] * len(words)
    path = _brackets(tree, centres, heights, level_height)
    return _document(words, centres, path, title=title, width=width, baseline=baseline)


def _checked(words: Sequence[str], left: Ids, right: Ids) -> Tree:
    """The tree of the arguments; a UserError unless every merge joins two neighbours that have no parent yet."""
    if not words:
        raise UserError("a tree of no words cannot be drawn; give at least one word")
    if not len(left) == len(right) == len(words) - 1:
        raise UserError(
            f"{len(words)} words need {len(words) - 1} merges, "
            f"but {len(left)} left and {len(right)} right children came"
        )
    tree = Tree(len(words), np.asarray(left, dtype=np.int64), np.asarray(right, dtype=np.int64))
    spans = {leaf: (leaf, leaf + 1) for leaf in range(len(words))}
    for merge, pair in enumerate(zip(tree.left.tolist(), tree.right.tolist(), strict=True)):
        sides = [spans.pop(child, None) for child in pair]
        if sides[0] is None or sides[1] is None or sides[0][1] != sides[1][0]:
            raise UserError(
                f"merge {merge} joins nodes {pair[0]} and {pair[1]}, which are not two neighbours without a parent"
            )
        spans[len(words) + merge] = (sides[0][0], sides[1][1])
    return tree


def _root(tree: Tree) -> int:
    return 2 * tree.num_tokens - 2


def _children(tree: Tree, node: int) -> tuple[int, int]:
    merge = node - tree.num_tokens
    return int(tree.left[merge]), int(tree.right[merge])


def _all_spans(tree: Tree) -> list[tuple[int, int]]:
    return [(leaf, leaf + 1) for leaf in range(tree.num_tokens)] + tree.spans


def _excerpt(words: Sequence[str], start: int, end: int) -> str:
    """The words of a span on one line, the middle of a long one left out."""
    if end - start > _SHOWN_WORDS:
        shown = [*words[start : start + _SHOWN_WORDS // 2], "…", *words[end - _SHOWN_WORDS // 2 + 1 : end]]
    else:
        shown = list(words[start:end])
    return " ".join(" ".join(shown).split())


def _text_width(text: str) -> float:
    """Estimate a text's width in pixels, rather too wide than too narrow: fonts differ, words must not touch."""
    width = 0.0
    for character in text:
        if unicodedata.combining(character):
            continue
        if unicodedata.east_asian_width(character) in "WF" or character in _WIDE_LETTERS:
            width += 1.05
        else:
            width += 0.75 if character.isupper() else 0.62
    return width * _FONT_SIZE


def _runs_right_to_left(words: Sequence[str]) -> bool:
    directions = [unicodedata.bidirectional(character) for character in itertools.chain.from_iterable(words)]
    return sum(direction in ("R", "AL") for direction in directions) > directions.count("L")


def _word_centres(words: Sequence[str]) -> tuple[list[float], float]:
    """Place the words side by side: the centre of each, in their own order, and the width of all with margins."""
    widths = [max(_text_width(word), _FONT_SIZE) + _WORD_GAP for word in words]
    edges = list(itertools.accumulate(widths, initial=_MARGIN - _WORD_GAP / 2))
    total = edges[-1] - _WORD_GAP / 2 + _MARGIN
    centres = [(start + end) / 2 for start, end in itertools.pairwise(edges)]
    return ([total - centre for centre in centres] if _runs_right_to_left(words) else centres), total


def _brackets(tree: Tree, centres: list[float], tops: list[float], level_height: float) -> str:
    """The path of all brackets; ``centres`` and ``tops`` hold where each leaf's line ends and grow by every merge."""
    xs, ys = list(centres), list(tops)
    strokes: list[str] = []
    for left, right in zip(tree.left.tolist(), tree.right.tolist(), strict=True):
        y = min(ys[left], ys[right]) - level_height
        strokes.append(f"M{xs[left]:.1f} {ys[left]:.1f}V{y:.1f}H{xs[right]:.1f}V{ys[right]:.1f}")
        xs.append((xs[left] + xs[right]) / 2)
        ys.append(y)
    return "".join(strokes)


def _document(
    words: Sequence[str], centres: Sequence[float], path: str, *, title: str | None, width: float, baseline: float
) -> str:
    """Put words, brackets and title into an SVG document on a white ground."""
    height = baseline + _FONT_SIZE
    label = _xml(title or " ".join(words))
    heading = (
        f'<text x="{width / 2:.1f}" y="{_MARGIN + _FONT_SIZE:.1f}" font-weight="bold">{_xml(title)}</text>\n'
        if title
        else ""
    )
    leaves = "\n".join(
        f'<text x="{centre:.1f}" y="{baseline:.1f}">{_xml(word)}</text>'
        for word, centre in zip(words, centres, strict=True)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{label}" '
        f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.1f} {height:.1f}">\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n'
        f'<path d="{path}" fill="none" stroke="#4a6fa5" stroke-width="1.4" stroke-linejoin="round"/>\n'
        f'<g font-family="sans-serif" font-size="{_FONT_SIZE:.0f}" fill="#1a1a1a" text-anchor="middle">\n'
        f"{heading}{leaves}\n</g>\n</svg>\n"
    )


def _xml(text: str) -> str:
    """Escape a text for XML; characters that XML cannot hold become U+FFFD."""
    return html.escape(_NOT_IN_XML.sub("\ufffd", text))
