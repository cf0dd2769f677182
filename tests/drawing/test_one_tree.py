"""Trees as text and pictures: by hand, read back, drawn without overlap, and every malformed tree."""

import itertools
import random
import re
import unicodedata
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsent.drawing.one_tree import bracketed, indented, svg
from selfsent.errors import UserError
from selfsent.parsing.brackets import parse_bracketed
from selfsent.trees.builders import balanced, left_branching, random_tree, right_branching
from selfsent.trees.tree import Tree

WORDS = ["the", "cat", "sat", "down"]
LEFT, RIGHT = [2, 0, 5], [3, 1, 4]  # ((the cat) (sat down)), made right to left
SVG = "{http://www.w3.org/2000/svg}"


def merged(positions: list[int]) -> Tree:
    """The tree that arises when neighbours at the given places are merged, one after another."""
    num_words = len(positions) + 1
    frontier, left, right = list(range(num_words)), [], []
    for merge, position in enumerate(positions):
        left.append(frontier[position])
        right.append(frontier[position + 1])
        frontier[position : position + 2] = [num_words + merge]
    return Tree(num_words, np.array(left, dtype=np.int64), np.array(right, dtype=np.int64))


def trees(max_words: int = 30) -> st.SearchStrategy[Tree]:
    places = st.integers(1, max_words).flatmap(
        lambda num_words: st.tuples(*(st.integers(0, last) for last in reversed(range(num_words - 1))))
    )
    return places.map(lambda positions: merged(list(positions)))


def test_the_bracketed_string_is_that_written_by_hand():
    assert bracketed(WORDS, LEFT, RIGHT) == "(X (X (X the) (X cat)) (X (X sat) (X down)))"
    assert bracketed(["word"], [], []) == "(X word)"


def test_brackets_white_space_and_empty_pieces_are_written_so_that_they_can_be_read_back():
    text = bracketed(["(", "a b", "", "\u00a0"], [0, 4, 5], [1, 2, 3])
    assert parse_bracketed(text)[0].words == ("(", "a_b", "_", "\u00a0")


@given(trees(), st.randoms())
def test_reading_a_bracketed_string_back_gives_the_same_words_and_spans(tree: Tree, rng: random.Random):
    words = ["".join(rng.choices("ab()é漢▁/", k=3)) for _ in range(tree.num_tokens)]
    (parsed,) = parse_bracketed(bracketed(words, tree.left, tree.right))
    assert parsed.words == tuple(words)
    assert set(parsed.spans) == set(tree.spans)
    for direction in ("left", "right"):
        assert set(parsed.binarise(direction).spans) == set(tree.spans)


def test_the_indented_text_is_that_drawn_by_hand():
    assert indented(WORDS, LEFT, RIGHT).splitlines() == [
        "the cat sat down",
        "├── the cat",
        "│   ├── the",
        "│   └── cat",
        "└── sat down",
        "    ├── sat",
        "    └── down",
    ]
    assert indented(["word"], [], []) == "word"


def test_a_long_span_is_shortened_in_the_middle_and_a_line_break_in_a_piece_breaks_no_line():
    words = [f"w{i}" for i in range(20)] + ["a\nb"]
    tree = balanced(len(words))
    lines = indented(words, tree.left, tree.right).splitlines()
    assert lines[0] == "w0 w1 w2 w3 w4 w5 … w16 w17 w18 w19 a b"
    assert len(lines) == 2 * len(words) - 1


@given(trees())
def test_the_indentation_of_a_node_is_its_depth(tree: Tree):
    depth = {2 * tree.num_tokens - 2: 0}
    for merge in reversed(range(tree.num_tokens - 1)):
        for child in (int(tree.left[merge]), int(tree.right[merge])):
            depth[child] = depth[tree.num_tokens + merge] + 1
    text = indented([f"w{i}" for i in range(tree.num_tokens)], tree.left, tree.right)
    shown = {line.split()[-1]: len(re.match("[│├└─ ]*", line)[0]) / 4 for line in text.splitlines()}
    assert shown == {f"w{leaf}": depth[leaf] for leaf in range(tree.num_tokens)}


def _leaves(picture: str) -> list[tuple[float, str]]:
    root = ET.fromstring(picture)
    return [(float(text.get("x")), text.text or "") for text in root.iter(f"{SVG}text") if not text.get("font-weight")]


def _width(text: str) -> float:
    """How wide DejaVu Sans, a wide font, sets a text at 15 pixels, roughly: an em is 15."""
    wide = sum(1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.61 for letter in text)
    return 15 * wide


@given(trees(60), st.randoms())
def test_words_stand_in_order_on_one_line_and_do_not_overlap(tree: Tree, rng: random.Random):
    words = ["".join(rng.choices("abn漢é", k=rng.randint(1, 12))) for _ in range(tree.num_tokens)]
    leaves = _leaves(svg(words, tree.left, tree.right))
    assert [text for _, text in leaves] == words
    for (x, text), (next_x, next_text) in itertools.pairwise(leaves):
        assert x + _width(text) / 2 < next_x - _width(next_text) / 2
    root = ET.fromstring(svg(words, tree.left, tree.right))
    assert leaves[0][0] - _width(words[0]) / 2 >= 0
    assert leaves[-1][0] + _width(words[-1]) / 2 <= float(root.get("width"))


def test_every_merge_is_one_bracket_above_its_children_inside_the_picture():
    tree = random_tree(40, np.random.default_rng(3))
    root = ET.fromstring(svg(["w"] * 40, tree.left, tree.right))
    strokes = re.findall(r"M([\d.]+) ([\d.]+)V([\d.]+)H([\d.]+)V([\d.]+)", root.find(f"{SVG}path").get("d"))
    assert len(strokes) == 39
    for x, y, top, other_x, other_y in (map(float, stroke) for stroke in strokes):
        assert x < other_x <= float(root.get("width"))
        assert 0 < top < min(y, other_y) <= float(root.get("height"))


def test_a_right_to_left_sentence_runs_from_right_to_left():
    words = ["ذهب", "الولد", "إلى", "المدرسة"]
    xs = [x for x, _ in _leaves(svg(words, LEFT, RIGHT))]
    assert xs == sorted(xs, reverse=True)


def test_texts_are_escaped_and_characters_that_xml_cannot_hold_are_replaced():
    picture = svg(["<b>", '"&', "\x00\ud800", "😀"], LEFT, RIGHT, title="a < b & c")
    picture.encode("utf8")
    assert [text for _, text in _leaves(picture)] == ["<b>", '"&', "\ufffd\ufffd", "😀"]
    heading = next(ET.fromstring(picture).iter(f"{SVG}text"))
    assert heading.text == "a < b & c"


def test_one_word_under_a_long_title_fits():
    title = "a title much longer than the word below"
    root = ET.fromstring(svg(["word"], [], [], title=title))
    assert float(root.get("width")) > _width(title)


@pytest.mark.parametrize("build", [balanced, left_branching, right_branching])
def test_thousands_of_words_are_drawn_without_recursion(build):
    tree = build(5000)
    words = ["w"] * 5000
    assert bracketed(words, tree.left, tree.right).count("(") == 9999
    assert len(_leaves(svg(words, tree.left, tree.right))) == 5000
    small = build(1500)
    assert len(indented(words[:1500], small.left, small.right).splitlines()) == 2999


@pytest.mark.parametrize(
    ("words", "left", "right", "message"),
    [
        ([], [], [], "a tree needs at least one word"),
        (["a", "b"], [], [], "2 words need 1 merges, got 0 left and 0 right"),
        (["a", "b"], [0], [], "1 left and 0 right"),
        (["a", "b"], [1], [0], "merge 0 joins nodes 1 and 0"),
        (["a", "b", "c"], [0, 3], [2, 1], "merge 0 joins nodes 0 and 2"),
        (["a", "b", "c"], [0, 0], [1, 2], "merge 1 joins nodes 0 and 2"),
        (["a", "b", "c"], [0, 4], [1, 2], "merge 1 joins nodes 4 and 2"),
        (["a", "b"], [0], [-1], "merge 0 joins nodes 0 and -1"),
    ],
)
@pytest.mark.parametrize("draw", [bracketed, indented, svg])
def test_merges_that_make_no_tree_are_refused(draw, words, left, right, message):
    with pytest.raises(UserError, match=message):
        draw(words, left, right)


def test_nodes_beyond_two_hundred_levels_show_their_level_and_are_indented_no_further():
    tree = right_branching(50_000)
    lines = indented([f"w{i}" for i in range(50_000)], tree.left, tree.right).splitlines()
    assert len(lines) == 99_999
    assert lines[399] == "    " * 199 + "├── w199"
    assert lines[401] == "    " * 200 + "├── (201) w200"
    assert lines[-2:] == ["    " * 200 + "├── (49999) w49998", "    " * 200 + "└── (49999) w49999"]
