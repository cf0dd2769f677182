import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfsent.parsing.brackets import parse_bracketed
from selfsent.trees.arrays import Tree, TreeBatch
from selfsent.trees.builders import FIXED_BUILDERS, random_tree
from selfsent.trees.split_depths import depths_of_spans, depths_over_pieces, trees_of_depths, without_tokens


def tree_of(depths: list[int], direction: str = "right") -> Tree:
    return trees_of_depths(np.array(depths, dtype=np.int64), np.array([len(depths) + 1]), direction)[0]


@pytest.mark.parametrize(
    ("brackets", "expected"),
    [
        ("(S (NP (D the) (N cat)) (V sat))", [1, 0]),
        ("(S (N cats) (VP (V eat) (NP (A small) (N mice))))", [0, 1, 2]),
        ("(S (A a) (B b) (C c) (D d))", [0, 0, 0]),
        ("(S (X (Y (A a) (B b))) (C c))", [1, 0]),
        ("(S (A a))", []),
    ],
)
def test_the_depth_of_a_gap_is_that_of_the_smallest_constituent_around_it(brackets: str, expected: list[int]):
    (tree,) = parse_bracketed(brackets)
    assert depths_of_spans(len(tree.words), tree.spans).tolist() == expected


def test_equal_depths_are_one_constituent_merged_from_the_side_asked_for():
    assert tree_of([0, 0, 0], "right").spans == [(2, 4), (1, 4), (0, 4)]
    assert tree_of([0, 0, 0], "left").spans == [(0, 2), (0, 3), (0, 4)]
    assert sorted(tree_of([1, 1, 0, 1], "left").spans) == [(0, 2), (0, 3), (0, 5), (3, 5)]


@given(st.integers(1, 40), st.integers(0, 10_000), st.sampled_from(["left", "right"]))
@settings(max_examples=100, deadline=None)
def test_a_binary_tree_survives_being_written_as_depths(num_tokens: int, seed: int, direction: str):
    tree = random_tree(num_tokens, np.random.default_rng(seed))
    again = tree_of(depths_of_spans(num_tokens, tree.spans).tolist(), direction)
    assert sorted(again.spans) == sorted(tree.spans)


@given(st.integers(0, 10_000), st.sampled_from(["left", "right"]))
@settings(max_examples=100, deadline=None)
def test_a_flat_tree_is_binarised_as_its_brackets_are(seed: int, direction: str):
    generator = np.random.default_rng(seed)
    num_words = int(generator.integers(1, 15))
    binary = random_tree(num_words, generator)
    spans = [span for span in binary.spans if span == (0, num_words) or generator.random() < 0.5]
    words = tuple(f"w{i}" for i in range(num_words))
    (parsed,) = parse_bracketed(bracket_string(words, spans))
    expected = parsed.binarise(direction)
    got = tree_of(depths_of_spans(num_words, parsed.spans).tolist(), direction)
    assert sorted(got.spans) == sorted(expected.spans)


def bracket_string(words: tuple[str, ...], spans: list[tuple[int, int]]) -> str:
    opening = [sum(start == i for start, _ in {*spans, (0, len(words))}) for i in range(len(words))]
    closing = [sum(end == i + 1 for _, end in {*spans, (0, len(words))}) for i in range(len(words))]
    return " ".join("(X " * opening[i] + f"(T {word})" + ")" * closing[i] for i, word in enumerate(words))


def test_a_batch_is_its_sentences_one_by_one():
    generator = np.random.default_rng(0)
    trees = [random_tree(n, generator) for n in (5, 1, 2, 17, 1)]
    depths = [depths_of_spans(tree.num_tokens, tree.spans) for tree in trees]
    batch = trees_of_depths(np.concatenate(depths), np.array([5, 1, 2, 17, 1]), "right")
    alone = TreeBatch.from_trees([tree_of(row.tolist()) for row in depths])
    np.testing.assert_array_equal(batch.left, alone.left)
    np.testing.assert_array_equal(batch.right, alone.right)


def test_sentences_without_a_token_have_no_merge():
    batch = trees_of_depths(np.array([0]), np.array([0, 2, 0]), "right")
    assert (batch.left.tolist(), batch.right.tolist()) == ([0], [1])


def test_dropping_tokens_leaves_the_tree_over_the_others():
    (tree,) = parse_bracketed("(S (NP (D the) (A old) (N cat)) (VP (V sat) (PP (P on) (NP (N mats)))) (. .))")
    keep = [True, False, True, True, False, True, False]
    depths = without_tokens(depths_of_spans(len(tree.words), tree.spans), keep)
    assert sorted(tree_of(depths.tolist()).spans) == sorted(tree.kept(keep).binarise("right").spans)
    assert without_tokens(depths, [False] * 4).tolist() == []


def test_the_pieces_of_a_word_are_a_constituent_of_their_own():
    # ((the cat) sat): cat is of three pieces, sat of two.
    depths = depths_over_pieces(np.array([1, 0]), np.array([0, 1, 1, 1, 2, 2]))
    assert sorted(tree_of(depths.tolist()).spans) == [(0, 4), (0, 6), (1, 4), (2, 4), (4, 6)]


def test_a_word_without_a_piece_drops_out():
    depths = depths_over_pieces(np.array([2, 1, 0]), np.array([0, 0, 2, 3]))
    assert sorted(tree_of(depths.tolist()).spans) == [(0, 2), (0, 3), (0, 4)]
    assert depths_over_pieces(np.array([0]), np.zeros(0, dtype=np.int64)).tolist() == []


@pytest.mark.parametrize("structure", FIXED_BUILDERS)
def test_a_sentence_of_many_thousand_words_neither_recurses_nor_takes_quadratic_time(structure: str):
    num_tokens = 200_000
    tree = FIXED_BUILDERS[structure](num_tokens)
    depths = depths_of_spans(num_tokens, tree.spans)
    assert set(trees_of_depths(depths, np.array([num_tokens]), "right")[0].spans) == set(tree.spans)
