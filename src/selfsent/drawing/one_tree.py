"""One binary tree as a bracketed string, as an indented text, or as an SVG picture.

All three take the same form: the leaves' texts and, for every merge, the ids of its two children (leaves are 0..n-1,
merge ``i`` makes node ``n + i``, the last merge is the root). None recurses: a sentence of thousands of words is drawn
too.
"""

import html
import itertools
import operator
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from selfsent.errors import UserError
from selfsent.parsing.brackets import Span, escape
from selfsent.trees.tree import IntArray, Tree

Ids = Sequence[int] | IntArray

_CONSTITUENT_LABEL = "X"
_INDENTED_LEVELS = 200
_RULES = ("│   ", "    ")
_SHOWN_WORDS = 12  # a longer span is shortened in the middle
_FONT_SIZE = 15.0
_WORD_GAP = 14.0
_MARGIN = 16.0
_COLOUR, _MARKED_COLOUR = "#4a6fa5", "#c8553d"
_TREE_HEIGHT = 900.0  # levels move together in deeper trees
_LEVEL_HEIGHTS = (3.0, 26.0)
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WIDE_LETTERS = frozenset("mwMW@%—…")


def bracketed(words: Sequence[str], left: Ids, right: Ids) -> str:
    """Write the tree on one line in the Penn Treebank's form, every node labelled ``X``.

    ``selfsent.parsing.brackets.parse_bracketed`` and other treebank tools read it back.

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


def indented(words: Sequence[str], left: Ids, right: Ids, *, marked: Collection[Span] = ()) -> str:
    """Write the tree as lines of text: every node on a line of its own, below and right of its parent.

    Args:
        words: The leaves' texts.
        left: Left child of each merge.
        right: Right child of each merge.
        marked: Constituents to mark with a star, as half-open spans of leaves.

    Returns:
        Lines without a final line break; a node shows the words it spans, the middle of a long span left out. Nodes
        more than 200 levels deep are indented no further and show their level, or a deep tree would fill the memory.

    Raises:
        UserError: The merges do not form one tree over the words.
    """
    tree = _checked(words, left, right)
    spans = _all_spans(tree)
    lines: list[str] = []
    stack = [(_root(tree), "", "", 0)]
    while stack:
        node, before_node, before_children, level = stack.pop()
        number = f"({level}) " if level > _INDENTED_LEVELS else ""
        star = " *" if spans[node] in marked else ""
        lines.append(before_node + number + _excerpt(words, *spans[node]) + star)
        if node >= tree.num_tokens:
            left_child, right_child = _children(tree, node)
            below = [before_children + rule if level < _INDENTED_LEVELS else before_children for rule in _RULES]
            stack.append((right_child, before_children + "└── ", below[1], level + 1))
            stack.append((left_child, before_children + "├── ", below[0], level + 1))
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
    return _document([_panel(words, left, right, title=title)], title or " ".join(words))


def svg_side_by_side(words: Sequence[str], trees: Mapping[str, Tree], *, marked: Collection[Span] = ()) -> str:
    """Draw several trees over the same words beside each other, on one line of words.

    Args:
        words: The leaves' texts.
        trees: The trees by what is written above them.
        marked: Constituents to draw in a second colour, as half-open spans of leaves.

    Returns:
        The SVG document.

    Raises:
        UserError: The merges of one do not form one tree over the words.
    """
    panels = [_panel(words, tree.left, tree.right, title=title, marked=marked) for title, tree in trees.items()]
    return _document(panels, f"{' and '.join(trees)}: {' '.join(words)}")


@dataclass(frozen=True)
class _Panel:
    """One drawn tree: its size in pixels and the elements it consists of."""

    width: float
    height: float
    elements: str


def _panel(words: Sequence[str], left: Ids, right: Ids, *, title: str | None, marked: Collection[Span] = ()) -> _Panel:
    tree = _checked(words, left, right)
    top = _MARGIN + (2 * _FONT_SIZE if title else 0.0)
    level_height = min(max(_TREE_HEIGHT / max(tree.depth, 1), _LEVEL_HEIGHTS[0]), _LEVEL_HEIGHTS[1])
    baseline = top + level_height * tree.depth + 1.6 * _FONT_SIZE
    centres, words_width = _word_centres(words)
    width = max(words_width, _text_width(title or "") + 2 * _MARGIN)
    centres = [centre + (width - words_width) / 2 for centre in centres]
    heights = [baseline - 1.3 * _FONT_SIZE] * len(words)
    strokes = _brackets(tree, centres, heights, level_height)
    is_marked = [span in marked for span in tree.spans]
    paths = "".join(
        _path("".join(itertools.compress(strokes, chosen)), colour)
        for chosen, colour in ((map(operator.not_, is_marked), _COLOUR), (is_marked, _MARKED_COLOUR))
    )
    return _Panel(width, baseline + _FONT_SIZE, paths + _texts(words, centres, title, width=width, baseline=baseline))


def _checked(words: Sequence[str], left: Ids, right: Ids) -> Tree:
    """The tree of the arguments; a UserError unless every merge joins two neighbours that have no parent yet."""
    if not words:
        raise UserError("a tree needs at least one word, got none")
    if not len(left) == len(right) == len(words) - 1:
        raise UserError(
            f"{len(words)} words need {len(words) - 1} merges, got {len(left)} left and {len(right)} right children"
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


def _brackets(tree: Tree, centres: list[float], tops: list[float], level_height: float) -> list[str]:
    """A bracket for every merge; ``centres`` and ``tops`` hold where each leaf's line ends."""
    xs, ys = list(centres), list(tops)
    strokes: list[str] = []
    for left, right in zip(tree.left.tolist(), tree.right.tolist(), strict=True):
        y = min(ys[left], ys[right]) - level_height
        strokes.append(f"M{xs[left]:.1f} {ys[left]:.1f}V{y:.1f}H{xs[right]:.1f}V{ys[right]:.1f}")
        xs.append((xs[left] + xs[right]) / 2)
        ys.append(y)
    return strokes


def _path(strokes: str, colour: str) -> str:
    if not strokes:
        return ""
    return f'<path d="{strokes}" fill="none" stroke="{colour}" stroke-width="1.4" stroke-linejoin="round"/>\n'


def _texts(words: Sequence[str], centres: Sequence[float], title: str | None, *, width: float, baseline: float) -> str:
    """The words on their line and the title above."""
    places = [(centre, baseline, "", word) for centre, word in zip(centres, words, strict=True)]
    if title:
        places.insert(0, (width / 2, _MARGIN + _FONT_SIZE, ' font-weight="bold"', title))
    texts = "\n".join(f'<text x="{x:.1f}" y="{y:.1f}"{style}>{_xml(text)}</text>' for x, y, style, text in places)
    style = f'font-family="sans-serif" font-size="{_FONT_SIZE:.0f}" fill="#1a1a1a" text-anchor="middle"'
    return f"<g {style}>\n{texts}\n</g>\n"


def _document(panels: Sequence[_Panel], label: str) -> str:
    """Put panels side by side into an SVG document on a white ground, their lower edges on one line."""
    width, height = sum(panel.width for panel in panels), max(panel.height for panel in panels)
    edges = itertools.accumulate((panel.width for panel in panels), initial=0.0)
    moved = (
        f'<g transform="translate({x:.1f} {height - panel.height:.1f})">\n{panel.elements}</g>\n'
        for x, panel in zip(edges, panels, strict=False)
    )
    content = "".join(moved) if len(panels) > 1 else panels[0].elements
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{_xml(label)}" '
        f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.1f} {height:.1f}">\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n{content}</svg>\n'
    )


def _xml(text: str) -> str:
    """Escape a text for XML; characters that XML cannot hold become U+FFFD."""
    return html.escape(_NOT_IN_XML.sub("\ufffd", text))
