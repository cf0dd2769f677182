"""Beam and chart induction against all trees of short sentences, and against greedy induction."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from selfsent.kernels import chart_induction
from selfsent.kernels.beam_induction import induce_by_beam
from selfsent.kernels.chart_induction import induce_by_chart
from selfsent.kernels.induction import induce
from selfsent.modules import AffineComposition
from selfsent.trees.arrays import Tree, TreeBatch

SEARCHES = pytest.mark.parametrize("search", [induce_by_beam, induce_by_chart], ids=["beam", "chart"])
Nested = int | tuple["Nested", "Nested"]


def drawn(lengths: list[int], seed: int, channel_size: int = 3) -> tuple[Tensor, np.ndarray, AffineComposition]:
    torch.manual_seed(seed)
    return torch.randn(sum(lengths), 4 * channel_size), np.array(lengths), AffineComposition(channel_size)


def found(search, leaves: Tensor, lengths: np.ndarray, composition: AffineComposition, beam_size: int) -> TreeBatch:
    return search(leaves, lengths, composition.linear.weight, composition.linear.bias, beam_size=beam_size)


def all_trees(start: int, end: int) -> Iterator[Nested]:
    if end - start == 1:
        yield start
    for split in range(start + 1, end):
        for left in all_trees(start, split):
            yield from ((left, right) for right in all_trees(split, end))


def scored(tree: Nested, leaves: Tensor, composition: AffineComposition) -> tuple[float, Tensor]:
    """Total similarity and embedding of a tree, by recursion in float64."""
    if isinstance(tree, int):
        return 0.0, leaves[tree].double()
    (one, left), (other, right) = (scored(part, leaves, composition) for part in tree)
    with torch.no_grad():
        value = composition.double()(left[None], right[None])[0]
    return one + other + float(functional.cosine_similarity(left, right, dim=0)), value


def nested(tree: Tree) -> Nested:
    nodes: list[Nested] = list(range(tree.num_tokens))
    for left, right in zip(tree.left.tolist(), tree.right.tolist(), strict=True):
        nodes.append((nodes[left], nodes[right]))
    return nodes[-1]


@SEARCHES
@pytest.mark.parametrize("num_tokens", [1, 2, 3, 4, 5, 6])
def test_a_search_that_keeps_everything_finds_the_best_of_all_trees(search, num_tokens: int):
    for seed in range(5):
        leaves, lengths, composition = drawn([num_tokens], seed)
        tree = found(search, leaves, lengths, composition, 100)[0]
        best = max(scored(tree, leaves, composition)[0] for tree in all_trees(0, num_tokens))
        assert scored(nested(tree), leaves, composition)[0] == pytest.approx(best, abs=1e-5)


def test_one_state_is_greedy_induction():
    leaves, lengths, composition = drawn([7, 1, 0, 20, 3], 0)
    trees = found(induce_by_beam, leaves, lengths, composition, 1)
    greedy, _ = induce(leaves, lengths, composition.linear.weight, composition.linear.bias)
    np.testing.assert_array_equal(trees.left, greedy.left)
    np.testing.assert_array_equal(trees.right, greedy.right)


def test_one_tree_a_span_is_the_chart_recursion():
    for seed in range(5):
        leaves, lengths, composition = drawn([9], seed)
        best: dict[tuple[int, int], tuple[float, Tensor, Nested]] = {
            (i, i + 1): (0.0, leaves[i].double(), i) for i in range(9)
        }
        composition = composition.double()
        for width in range(2, 10):
            for start in range(10 - width):
                end = start + width
                options = []
                for split in range(start + 1, end):
                    (one, left, a), (other, right, b) = best[start, split], best[split, end]
                    total = one + other + float(functional.cosine_similarity(left, right, dim=0))
                    with torch.no_grad():
                        options.append((total, composition(left[None], right[None])[0], (a, b)))
                best[start, end] = max(options, key=lambda option: option[0])
        tree = found(induce_by_chart, leaves, lengths, composition.float(), 1)[0]
        assert nested(tree) == best[0, 9][2]


@SEARCHES
@pytest.mark.parametrize("beam_size", [1, 3])
def test_a_sentences_tree_is_its_own_whatever_the_batch(search, beam_size: int):
    lengths = [6, 1, 0, 11, 2]
    leaves, num_tokens, composition = drawn(lengths, 1)
    batch = found(search, leaves, num_tokens, composition, beam_size)
    for index, part in enumerate(leaves.split(lengths)):
        alone = found(search, part, num_tokens[index : index + 1], composition, beam_size)[0]
        assert batch[index].left.tolist() == alone.left.tolist()
        assert batch[index].right.tolist() == alone.right.tolist()


def assert_a_tree(tree: Tree):
    children = np.sort(np.concatenate([tree.left, tree.right]))
    np.testing.assert_array_equal(children, np.arange(2 * tree.num_tokens - 2))
    spans = [(i, i + 1) for i in range(tree.num_tokens)] + tree.spans
    for left, right in zip(tree.left, tree.right, strict=True):
        assert spans[left][1] == spans[right][0]


@SEARCHES
def test_threads_change_nothing(search, monkeypatch: pytest.MonkeyPatch):
    leaves, lengths, composition = drawn([6, 1, 0, 11, 2, 9, 4], 1)
    alone = found(search, leaves, lengths, composition, 2)
    for num_threads in (2, 3, 50):
        monkeypatch.setattr("numba.get_num_threads", lambda num_threads=num_threads: num_threads)
        shared = found(search, leaves, lengths, composition, 2)
        assert (shared.left.tolist(), shared.right.tolist()) == (alone.left.tolist(), alone.right.tolist())


@SEARCHES
def test_a_long_sentence_is_one_tree(search):
    leaves, lengths, composition = drawn([1500, 70, 64], 2)
    for tree in found(search, leaves, lengths, composition, 2):
        assert_a_tree(tree)


def test_a_chart_begins_where_greedy_merging_ends(monkeypatch: pytest.MonkeyPatch):
    limit = chart_induction.MAX_CHART_NODES
    leaves, lengths, composition = drawn([limit + 20], 3)
    tree = found(induce_by_chart, leaves, lengths, composition, 1)[0]
    greedy, _ = induce(leaves, lengths, composition.linear.weight, composition.linear.bias)
    assert tree.left[:20].tolist() == greedy.left[:20].tolist()
    assert tree.right[:20].tolist() == greedy.right[:20].tolist()


@SEARCHES
def test_leaves_that_are_no_numbers_still_give_a_tree(search):
    leaves, lengths, composition = drawn([6, 9], 4)
    leaves[1:4] = float("nan")
    leaves[4] = float("inf")
    trees = found(search, leaves, lengths, composition, 3)
    for tree in trees:
        assert_a_tree(tree)


@SEARCHES
def test_a_batch_without_a_token_has_no_merge(search):
    leaves, lengths, composition = drawn([0, 0], 0)
    assert len(found(search, leaves, lengths, composition, 2).left) == 0
