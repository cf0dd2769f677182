"""Reading bracketed trees: by hand, against a recursive reader, on the shared treebanks, and every malformed input."""

import gzip
import lzma
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from selfsent.errors import UserError
from selfsent.parsing.bad_tree import BadTree
from selfsent.parsing.brackets import ParsedTree, escape, parse_bracketed, read_bracketed, read_bracketed_file

VINKEN = """
( (S
    (NP-SBJ (NP (NNP Pierre) (NNP Vinken) ) (, ,) (ADJP (NP (CD 61) (NNS years) ) (JJ old) ) (, ,) )
    (VP (MD will) (VP (VB join) (NP (DT the) (NN board) )))
    (. .) ))
"""


def test_words_tags_and_spans_are_those_worked_out_by_hand():
    (tree,) = parse_bracketed(VINKEN)
    assert tree.words == ("Pierre", "Vinken", ",", "61", "years", "old", ",", "will", "join", "the", "board", ".")
    assert tree.tags == ("NNP", "NNP", ",", "CD", "NNS", "JJ", ",", "MD", "VB", "DT", "NN", ".")
    assert tree.spans == ((0, 2), (3, 5), (3, 6), (0, 7), (9, 11), (8, 11), (7, 11), (0, 12))
    assert tree.line == 2


def test_a_unary_chain_gives_one_span_and_none_for_a_single_word():
    (tree,) = parse_bracketed("(ROOT (S (VP (NP (NN go)) (ADVP (RB home)))))")
    assert tree.words == ("go", "home")
    assert tree.spans == ((0, 2),)


def test_empty_elements_leave_neither_words_nor_spans():
    (tree,) = parse_bracketed("(S (NP (-NONE- *-1)) (VP (TO to) (VP (VB go) (NP (-NONE- *T*)))))")
    assert tree.words == ("to", "go")
    assert tree.spans == ((0, 2),)


def test_a_tree_of_empty_elements_only_keeps_its_place_as_a_tree_of_no_words():
    first, second = parse_bracketed("( (S (-NONE- *)) ) (NN word)")
    assert (first.words, first.spans, len(first.binarise().left)) == ((), (), 0)
    assert second.words == ("word",)


def test_escapes_are_undone():
    (tree,) = parse_bracketed(r"(X (-LRB- -LRB-) (NN a) (-RRB- -RRB-) (CD 1\/2) (SYM :-RRB-) (X -LCB-))")
    assert tree.words == ("(", "a", ")", "1/2", ":)", "{")


def test_only_ascii_white_space_separates():
    (tree,) = parse_bracketed("(NP (CD 10\u00a0000) (NN h\u2028x))")
    assert tree.words == ("10\u00a0000", "h\u2028x")


def test_several_trees_may_share_a_line_and_each_names_the_line_it_opens_on():
    trees = parse_bracketed("(A a) (B b)\n\n(C\n c)(D d)")
    assert [(tree.words, tree.line) for tree in trees] == [(("a",), 1), (("b",), 1), (("c",), 3), (("d",), 4)]


def test_binarising_left_and_right_is_that_worked_out_by_hand():
    (tree,) = parse_bracketed("(S (X a) (NP (X b) (X c) (X d)) (X e))")
    left, right = tree.binarise("left"), tree.binarise("right")
    assert left.spans == [(1, 3), (1, 4), (0, 4), (0, 5)]
    assert list(zip(left.left.tolist(), left.right.tolist(), strict=True)) == [(1, 2), (5, 3), (0, 6), (7, 4)]
    assert right.spans == [(2, 4), (1, 4), (1, 5), (0, 5)]
    assert list(zip(right.left.tolist(), right.right.tolist(), strict=True)) == [(2, 3), (1, 5), (6, 4), (0, 7)]


def test_a_word_or_an_empty_element_may_be_broken_over_lines():
    (tree,) = parse_bracketed("(\nS (NN\n a) (-NONE-\n*) (NN b)\n)")
    assert (tree.words, tree.spans, tree.line) == (("a", "b"), ((0, 2),), 1)


def test_a_one_word_tree_has_no_merge():
    tree = parse_bracketed("(ROOT (NN word))")[0].binarise()
    assert (tree.num_tokens, tree.left.tolist(), tree.right.tolist()) == (1, [], [])


def test_punctuation_is_dropped_with_the_constituents_it_held_together():
    (tree,) = parse_bracketed(VINKEN)
    kept = tree.kept([tag not in {",", "."} for tag in tree.tags])
    assert kept.words == ("Pierre", "Vinken", "61", "years", "old", "will", "join", "the", "board")
    assert kept.spans == ((0, 2), (2, 4), (2, 5), (0, 5), (7, 9), (6, 9), (5, 9), (0, 9))
    with pytest.raises(UserError, match="a mask of 1 entries for 12 words"):
        tree.kept([True])


nested_trees = st.recursive(
    st.text("abc()/é漢-", min_size=1, max_size=4),
    lambda children: st.lists(children, min_size=1, max_size=4),
    max_leaves=25,
)


def _written(tree: str | list) -> str:
    return f"(T {escape(tree)})" if isinstance(tree, str) else f"(C {' '.join(map(_written, tree))})"


def _leaves_and_spans(tree: str | list, start: int, spans: set[tuple[int, int]]) -> int:
    """A recursive reading of nested lists: the end of the tree, and its spans of two words or more."""
    end = start
    for child in [] if isinstance(tree, str) else tree:
        end = _leaves_and_spans(child, end, spans)
    end = start + 1 if isinstance(tree, str) else end
    if end - start > 1:
        spans.add((start, end))
    return end


@given(nested_trees)
def test_spans_equal_those_of_a_recursive_reading_and_merges_hold_them(tree):
    expected: set[tuple[int, int]] = set()
    num_words = _leaves_and_spans(tree, 0, expected)
    (parsed,) = parse_bracketed(_written(tree))
    assert len(parsed.words) == num_words
    assert len(parsed.spans) == len(set(parsed.spans))
    assert set(parsed.spans) == expected
    for direction in ("left", "right"):
        binary = parsed.binarise(direction)
        assert expected <= set(binary.spans)
        assert sorted([*binary.left.tolist(), *binary.right.tolist()]) == list(range(2 * num_words - 2))


def test_a_tree_nested_ten_thousand_deep_is_read_and_binarised():
    depth = 10_000
    (tree,) = parse_bracketed("(S " * depth + "(X a)" + " (X b))" * depth)
    assert len(tree.words) == depth + 1
    assert tree.binarise().spans == [(0, end) for end in range(2, depth + 2)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(S (NN a)\n(NN b)", r"line 1: the tree that opens here is never closed \(1 brackets"),
        ("(NN a)\n(NN b))", "line 2: a closing bracket too many"),
        ("(NN a)\nword", "line 2: 'word' stands outside of all brackets"),
        ("((the cat) sat)", "line 1: the word 'sat' stands beside a constituent"),
        ("(S (NP the cat (NN x)))", "line 1: the word 'the' stands beside a constituent"),
        ("(S (NP (NN x) the cat))", "line 1: the word 'the' stands beside a constituent"),
        ("((X (NN a)) (X (NN b)))", "line 1: a constituent without a label"),
        ("(S ((NN a)))", "line 1: a constituent without a label"),
        ("(S\n())", r"line 2: \(\) is not a tag and one word"),
        ("(S (NN))", r"line 1: \(NN\) is not a tag and one word"),
        ("(NP the big cat)", r"line 1: \(NP the big cat\) is not a tag and one word"),
    ],
)
def test_a_malformed_tree_names_its_line(text, message):
    with pytest.raises(UserError, match=message) as caught:
        parse_bracketed(text)
    assert "\n" not in str(caught.value)


HEADED = """*x*x* Copyright (C) 1995 *x*x*
( (S (NN a) (NN b)) )
((the cat) sat)
(NN c) stray (NN d)
(NN e))
(S (NP the
   cat) (NN f)) (NN g)
(NN h
"""


def test_each_malformed_tree_is_told_in_its_place_and_the_others_are_read(tmp_path: Path):
    path = tmp_path / "trees.mrg"
    path.write_text(HEADED)
    found = list(read_bracketed(path))
    assert [tree.words for tree in found if isinstance(tree, ParsedTree)] == [
        ("a", "b"),
        ("c",),
        ("d",),
        ("e",),
        ("g",),
    ]
    bad = [tree for tree in found if isinstance(tree, BadTree)]
    assert [
        (tree.place.rpartition(" ")[2], tree.reason.partition(";")[0].partition(" (1 ")[0], tree.is_sentence)
        for tree in bad
    ] == [
        ("1", "'*x*x*' stands outside of all brackets", False),
        ("3", "the word 'sat' stands beside a constituent", True),
        ("4", "'stray' stands outside of all brackets", False),
        ("5", "a closing bracket too many", False),
        ("7", "(NP the cat) is not a tag and one word", True),
        (
            "8",
            "the tree that opens here is never closed",
            True,
        ),
    ]


def test_bytes_that_are_not_utf8_spoil_the_trees_of_their_line_alone(tmp_path: Path):
    path = tmp_path / "trees.mrg"
    path.write_bytes(b"(NN a)\n(NN \xe9) (NN b)\n(S (NN \xe9)\n(NN c))\n(NN d)\n")
    assert [isinstance(tree, BadTree) for tree in read_bracketed(path)] == [False, True, True, True, False]


@pytest.mark.parametrize("suffix", [".txt", ".gz", ".xz", ".zst"])
def test_a_file_is_read_plain_or_compressed_with_byte_order_mark_and_crlf(tmp_path: Path, suffix: str):
    content = "\ufeff(S (NN é)\r\n(NN b))\r\n(NN c)".encode()
    pack = {".txt": bytes, ".gz": gzip.compress, ".xz": lzma.compress, ".zst": zstandard.compress}
    path = tmp_path / f"trees{suffix}"
    path.write_bytes(pack[suffix](content))
    assert [(tree.words, tree.line) for tree in read_bracketed_file(path)] == [(("é", "b"), 1), (("c",), 3)]


def test_trees_are_yielded_before_the_file_is_read_to_its_end(tmp_path: Path):
    path = tmp_path / "trees.txt"
    path.write_text("(NN a)\n" * 10_000 + "(NN")
    trees = read_bracketed_file(path)
    assert next(trees).words == ("a",)
    with pytest.raises(UserError, match=r"trees\.txt, line 10001: the tree that opens here"):
        list(trees)


def test_files_that_cannot_be_read_are_named(tmp_path: Path):
    bad = {
        "empty.txt": (b"\n\n", "holds no tree"),
        "latin.txt": (b"(NN a)\n(NN " + "é)".encode("latin1"), "line 2: not UTF-8"),
        "cut.gz": (gzip.compress(b"(NN a)" * 1000)[:-20], "cut short"),
        "cut.xz": (lzma.compress(b"(NN a)" * 1000)[:-20], "cut short"),
        "cut.zst": (zstandard.compress(random.Random(0).randbytes(5000))[:-20], "cut short"),
        "not.xz": (b"(NN a)", "cannot decompress"),
        "not.gz": (b"(NN a)", "cannot decompress"),
        "not.zst": (b"(NN a)", "cannot decompress"),
        "binary.txt": (b"(NN a\0)", "looks binary"),
    }
    for name, (content, message) in bad.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError) as caught:
            list(read_bracketed_file(tmp_path / name))
        assert name in str(caught.value)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="no file at"):
        list(read_bracketed_file(tmp_path / "absent"))


COUNTING = """
import sys
from selfsent.parsing.brackets import read_bracketed_file
trees = list(read_bracketed_file(sys.argv[1]))
assert all(tree.words and len(tree.words) == len(tree.tags) for tree in trees)
print(len(trees), sum(len(tree.words) for tree in trees))
"""


@pytest.mark.parametrize(("name", "num_trees"), [("ptb-sample.mrg.xz", 3914), ("gum.ptb.xz", 14_597)])
def test_the_shared_treebanks_give_a_tree_for_every_line_that_starts_with_a_bracket(
    data_dir: Path, name: str, num_trees: int
):
    path = data_dir / "trees" / name
    with lzma.open(path, "rt", encoding="utf8") as lines:
        text = lines.read()
    assert len(re.findall(r"^\(", text, re.MULTILINE)) == num_trees
    num_words = len(re.findall(r"\((?!-NONE-)[^()\s]+\s+[^()\s]+\s*\)", text, re.ASCII))
    # A process of its own: executed annotations (conftest) would make a minute of three seconds.
    counted = subprocess.run([sys.executable, "-c", COUNTING, str(path)], capture_output=True, text=True, check=True)
    assert counted.stdout.split() == [str(num_trees), str(num_words)]
