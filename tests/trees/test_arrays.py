import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from selfsent.trees.arrays import Tree, TreeBatch
from selfsent.trees.builders import random_tree

# A tree by what draws it: its number of tokens and a seed.
DRAWN = st.tuples(st.integers(0, 12), st.integers(0, 2**32 - 1))
BATCHES = st.lists(DRAWN, max_size=6)
# The first example may compile a kernel, so no example is timed.
CALM = settings(deadline=None, max_examples=50)


def drawn_trees(drawn: list[tuple[int, int]]) -> list[Tree]:
    return [random_tree(num_tokens, np.random.default_rng(seed)) for num_tokens, seed in drawn]


def naive_heights(batch: TreeBatch) -> dict[int, int]:
    heights = {int(leaf): 0 for leaf in batch.leaf_nodes}
    for parent, left, right in zip(batch.merge_nodes.tolist(), batch.left.tolist(), batch.right.tolist(), strict=True):
        heights[parent] = 1 + max(heights[left], heights[right])
    return heights


@CALM
@given(BATCHES)
def test_a_batch_gives_back_the_trees_it_was_made_from(drawn: list[tuple[int, int]]):
    trees = drawn_trees(drawn)
    batch = TreeBatch.from_trees(trees)
    assert len(batch) == len(trees)
    for tree, again in zip(trees, batch, strict=True):
        assert again.num_tokens == tree.num_tokens
        np.testing.assert_array_equal(again.left, tree.left)
        np.testing.assert_array_equal(again.right, tree.right)


@CALM
@given(BATCHES)
def test_a_sentence_of_t_tokens_has_2t_minus_1_nodes_and_an_empty_one_none(drawn: list[tuple[int, int]]):
    batch = TreeBatch.from_trees(drawn_trees(drawn))
    sizes = [max(2 * num_tokens - 1, 0) for num_tokens, _ in drawn]
    assert batch.num_nodes == sum(sizes)
    assert np.diff(batch.offsets).tolist() == sizes
    assert len(batch.leaf_nodes) == sum(num_tokens for num_tokens, _ in drawn)
    assert sorted([*batch.leaf_nodes.tolist(), *batch.merge_nodes.tolist()]) == list(range(batch.num_nodes))


@CALM
@given(BATCHES)
def test_every_node_but_a_root_has_one_parent_in_its_own_sentence(drawn: list[tuple[int, int]]):
    batch = TreeBatch.from_trees(drawn_trees(drawn))
    roots = [int(root) for root in batch.roots if root >= 0]
    children = [*batch.left.tolist(), *batch.right.tolist()]
    assert sorted([*children, *roots]) == list(range(batch.num_nodes))
    sentence_of = np.repeat(np.arange(len(batch)), np.diff(batch.offsets))
    for parent, left, right in zip(batch.merge_nodes.tolist(), batch.left, batch.right, strict=True):
        assert sentence_of[left] == sentence_of[right] == sentence_of[parent]
        assert left < parent
        assert right < parent


@CALM
@given(BATCHES)
def test_the_roots_are_the_last_nodes_and_minus_one_where_there_is_none(drawn: list[tuple[int, int]]):
    batch = TreeBatch.from_trees(drawn_trees(drawn))
    expected, end = [], 0
    for num_tokens, _ in drawn:
        end += max(2 * num_tokens - 1, 0)
        expected.append(end - 1 if num_tokens else -1)
    assert batch.roots.tolist() == expected


@CALM
@given(DRAWN)
def test_spans_join_where_their_children_meet_and_the_root_spans_all(drawn: tuple[int, int]):
    (tree,) = drawn_trees([drawn])
    span_of = {i: (i, i + 1) for i in range(tree.num_tokens)}
    for merge, (left, right) in enumerate(zip(tree.left.tolist(), tree.right.tolist(), strict=True)):
        assert span_of[left][1] == span_of[right][0], "children are neighbours, left before right"
        span_of[tree.num_tokens + merge] = (span_of[left][0], span_of[right][1])
    assert tree.spans == [span_of[tree.num_tokens + merge] for merge in range(len(tree.left))]
    if tree.num_tokens > 1:
        assert tree.spans[-1] == (0, tree.num_tokens)


@CALM
@given(BATCHES)
def test_levels_hold_every_merge_once_at_its_height_with_its_children(drawn: list[tuple[int, int]]):
    batch = TreeBatch.from_trees(drawn_trees(drawn))
    heights = naive_heights(batch)
    children = dict(zip(batch.merge_nodes.tolist(), zip(batch.left, batch.right, strict=True), strict=True))
    seen = []
    for height, level in enumerate(batch.levels, start=1):
        assert len(level.parents) > 0
        assert {heights[parent] for parent in level.parents.tolist()} == {height}
        for parent, left, right in zip(
            *(side.tolist() for side in (level.parents, level.left, level.right)), strict=True
        ):
            assert children[parent] == (left, right)
        seen += level.parents.tolist()
    assert sorted(seen) == sorted(children)
    assert len(batch.levels) == max(heights.values(), default=0)


@CALM
@given(DRAWN)
def test_the_depth_is_the_height_of_the_root(drawn: tuple[int, int]):
    (tree,) = drawn_trees([drawn])
    assert tree.depth == max(naive_heights(TreeBatch.from_trees([tree])).values(), default=0)


@CALM
@given(st.lists(DRAWN, min_size=2, max_size=5))
def test_a_batch_is_its_sentences_side_by_side(drawn: list[tuple[int, int]]):
    batch, first, rest = (TreeBatch.from_trees(drawn_trees(part)) for part in (drawn, drawn[:1], drawn[1:]))
    np.testing.assert_array_equal(batch.left, np.concatenate([first.left, rest.left + first.num_nodes]))
    np.testing.assert_array_equal(batch.right, np.concatenate([first.right, rest.right + first.num_nodes]))
    torch.testing.assert_close(batch.leaf_nodes, torch.cat([first.leaf_nodes, rest.leaf_nodes + first.num_nodes]))
    torch.testing.assert_close(batch.merge_nodes, torch.cat([first.merge_nodes, rest.merge_nodes + first.num_nodes]))


def test_a_batch_is_indexed_like_a_list():
    batch = TreeBatch.from_trees(drawn_trees([(3, 0), (0, 0), (5, 1)]))
    assert batch[-1].num_tokens == 5
    np.testing.assert_array_equal(batch[-1].left, batch[2].left)
    with pytest.raises(IndexError):
        batch[3]


def test_a_worked_batch_of_two_sentences():
    # ((0 1) 2) beside (0 (1 2)), the second shifted by the five nodes of the first.
    left_leaning = Tree(3, np.array([0, 3]), np.array([1, 2]))
    right_leaning = Tree(3, np.array([1, 0]), np.array([2, 3]))
    batch = TreeBatch.from_trees([left_leaning, right_leaning])
    assert batch.left.tolist() == [0, 3, 6, 5]
    assert batch.right.tolist() == [1, 2, 7, 8]
    assert batch.leaf_nodes.tolist() == [0, 1, 2, 5, 6, 7]
    assert batch.merge_nodes.tolist() == [3, 4, 8, 9]
    assert batch.roots.tolist() == [4, 9]
    assert [level.parents.tolist() for level in batch.levels] == [[3, 8], [4, 9]]
    assert left_leaning.spans == [(0, 2), (0, 3)]
    assert right_leaning.spans == [(1, 3), (0, 3)]
